"""Real-valued images from complex ones, as Gadgetron's ExtractGadget."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import ismrmrd
import numpy as np

from gadgets.outputs.images import changed
from gadgets.outputs.meta import add_step, copied, derived, record_scaling, set_image_type
from gadgets.properties import gadget
from gadgets.stream.connection import Connection

Part = tuple[str, int, int, int, Callable[[np.ndarray], np.ndarray]]

#: name, ISMRMRD image_type, bit of extract_mask, offset of the series, pixels from complex pixels
PARTS: tuple[Part, ...] = (
    ("magnitude", ismrmrd.IMTYPE_MAGNITUDE, 1, 0, np.abs),
    ("real", ismrmrd.IMTYPE_REAL, 2, 1000, np.real),
    ("imag", ismrmrd.IMTYPE_IMAG, 4, 2000, np.imag),
    ("phase", ismrmrd.IMTYPE_PHASE, 8, 3000, np.angle),
)


def wanted_parts(properties: Mapping[str, Any]) -> list[Part]:
    """The parts that the properties of `extract` ask for. Raises ValueError for none, and for a mask above 15."""
    mask = properties["extract_mask"]
    if not 0 <= mask <= 15:
        raise ValueError(f"extract_mask is {mask}, expected 0 to 15: 1 magnitude, 2 real, 4 imag, 8 phase")
    parts = [part for part in PARTS if (part[2] & mask if mask else properties[f"extract_{part[0]}"])]
    if not parts:
        raise ValueError(f"nothing to extract: set one of {', '.join(f'extract_{part[0]}' for part in PARTS)}")
    return parts


@gadget(check=wanted_parts)
def extract(
    connection: Connection,
    *,
    extract_magnitude: bool = True,
    extract_real: bool = False,
    extract_imag: bool = False,
    extract_phase: bool = False,
    extract_mask: int = 0,
    real_imag_offset: float = 0.0,
) -> None:
    """One float32 image for each part that is wanted of a complex image. complex images -> real images.

    Magnitude stays in the image's series; real, imaginary and phase images (radians, -pi to pi) go to that series
    plus 1000, 2000 and 3000. extract_mask, unless 0, says it by bits instead: 1 magnitude, 2 real, 4 imaginary,
    8 phase. real_imag_offset is added to real and imaginary images. Images that are real already pass by.

    Raises ValueError when nothing is wanted, and for a mask above 15.
    """
    parts = wanted_parts(
        {
            "extract_magnitude": extract_magnitude,
            "extract_real": extract_real,
            "extract_imag": extract_imag,
            "extract_phase": extract_phase,
            "extract_mask": extract_mask,
        }
    )
    for item in connection.blocks():
        if not isinstance(item, ismrmrd.Image) or not np.iscomplexobj(item.data):
            connection.send(item)
            continue
        for name, image_type, _, series, take in parts:
            pixels = take(item.data).astype(np.float32)
            if series:
                meta = derived(item.meta, name)
            else:
                meta = copied(item.meta)
                add_step(meta, name)
            set_image_type(meta, image_type)
            if real_imag_offset and name in ("real", "imag"):
                pixels += np.float32(real_imag_offset)
                record_scaling(meta, 1, real_imag_offset)
            series += item.image_series_index
            connection.send(changed(item, pixels, meta=meta, image_type=image_type, image_series_index=series))
