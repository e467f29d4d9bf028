"""Intensities that integers can hold, as Gadgetron's GenericReconImageArrayScalingGadget."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import ismrmrd
import numpy as np
from gadgetron.types.image_array import ImageArray

from gadgets.outputs.images import changed_array, metas_of
from gadgets.outputs.meta import put, record_scaling, values
from gadgets.outputs.sampling import encoding_of
from gadgets.properties import gadget
from gadgets.stream.connection import Connection

log = logging.getLogger(__name__)

# Of Gadgetron: what automatic scaling begins with, and the level that it brings other images to.
_FACTOR = 4.0
_LEVEL = 2048.0
# Images of an array that the largest intensity is looked for in.
_LOOKED_AT = 24


def _check(settings: Mapping[str, Any]) -> None:
    for name in ("gfactor_map", "snr_map", "snr_std_map", "dedicated"):
        if not settings[f"scalingFactor_{name}"] > 0:
            raise ValueError(f"scalingFactor_{name} is {settings[f'scalingFactor_{name}']}, expected above 0")
    low, high = settings["min_intensity_value"], settings["max_intensity_value"]
    if not 0 < low < high:
        raise ValueError(f"min_intensity_value {low} and max_intensity_value {high} are no range above 0")


@gadget(check=_check)
def generic_recon_image_array_scaling(
    connection: Connection,
    *,
    use_constant_scalingFactor: bool = True,
    scalingFactor: float = 4.0,
    min_intensity_value: int = 64,
    max_intensity_value: int = 4095,
    auto_scaling_only_once: bool = True,
    use_dedicated_scalingFactor_meta_field: str = "Use_dedicated_scaling_factor",
    scalingFactor_dedicated: float = 100.0,
    scalingFactor_gfactor_map: float = 100.0,
    scalingFactor_snr_map: float = 10.0,
    scalingFactor_snr_std_map: float = 1000.0,
    debug_folder: str = "",
    perform_timing: bool = False,
    verbose: bool = False,
) -> None:
    """Multiply images by a factor, and say so in their meta. image arrays -> image arrays.

    By DataRole of the meta: scalingFactor_gfactor_map for `Gfactor`, scalingFactor_snr_map for `SNR_MAP`,
    scalingFactor_snr_std_map for `STD_MAP`. Images with the entry use_dedicated_scalingFactor_meta_field are multiplied
    by scalingFactor_dedicated, all others by scalingFactor.

    With use_constant_scalingFactor=false, or a scalingFactor of 0 or less, images with their largest intensity between
    min_intensity_value and max_intensity_value are multiplied by 4, 2 or 1, the largest with which they stay below
    max_intensity_value; others are brought to a largest intensity of 2048. auto_scaling_only_once: the factor of an
    encoding space's first images is that of all, which keeps them comparable.

    debug_folder, perform_timing, verbose: taken for the sake of stock chains, without effect. Other items pass.
    """
    by_role = {
        "Gfactor": scalingFactor_gfactor_map,
        "SNR_MAP": scalingFactor_snr_map,
        "STD_MAP": scalingFactor_snr_std_map,
    }
    constant = use_constant_scalingFactor and scalingFactor > 0
    known: dict[int, float] = {}
    for item in connection.blocks():
        if isinstance(item, ImageArray) and item.data.size:
            metas = metas_of(item)
            meta = metas[0] if metas else ismrmrd.Meta()
            role = next(iter(values(meta, "GADGETRON_DataRole") or values(meta, "DataRole")), "")
            space = encoding_of(meta, connection.header)
            if role in by_role:
                factor = by_role[role]
            elif use_dedicated_scalingFactor_meta_field in meta:
                factor = scalingFactor_dedicated
            elif constant:
                factor = scalingFactor
            else:
                if space not in known or not auto_scaling_only_once:
                    known[space] = _automatic(item.data, min_intensity_value, max_intensity_value)
                    log.info("images of encoding space %d are scaled by %.4g", space, known[space])
                factor = known[space]
            item = _scaled(item, metas, factor)
        connection.send(item)


def _automatic(data: np.ndarray, low: float, high: float) -> float:
    images = abs(data.reshape(*data.shape[:3], -1, order="F"))
    middle = max(0, images.shape[3] // 2 - _LOOKED_AT // 2)
    largest = float(images[..., middle : middle + _LOOKED_AT].max()) or 1.0
    if not low <= largest <= high:
        return _LEVEL / largest
    factor = _FACTOR
    while largest * factor > high and factor > 1:
        factor /= 2
    return factor


def _scaled(images: ImageArray, metas: list[ismrmrd.Meta], factor: float) -> ImageArray:
    pixels = (images.data.T * np.float32(factor)).astype(np.complex64)
    for meta in metas:
        record_scaling(meta, factor)
        put(meta, "ImageComments", [*values(meta, "ImageComments"), f"x{factor:g}"])
    return changed_array(images, pixels, metas=metas)
