"""Windows on the k-space of images, as Gadgetron's GenericReconKSpaceFilteringGadget."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from typing import Any, Literal

from gadgetron.types.image_array import ImageArray
from torch import Tensor

from gadgets.mri.fft import fft, ifft
from gadgets.mri.windows import gaussian, hann, on_range, tapered_hann
from gadgets.outputs.images import changed_array, metas_of
from gadgets.outputs.sampling import AXES, SKIP, sampled_range
from gadgets.properties import gadget
from gadgets.resident import Resident
from gadgets.stream.connection import Connection
from gadgets.tensors import tensor, warm_torch

_resident = Resident("generic_recon_k_space_filtering", warm_torch)

Filter = Literal["Gaussian", "Hanning", "TaperedHanning", "None"]
# Kind, sigma and width along RO, E1, E2.
Settings = list[tuple[Filter, float, float]]


def _check(settings: Mapping[str, Any]) -> None:
    for axis in AXES:
        sigma, width = settings[f"filter{axis}_sigma"], settings[f"filter{axis}_width"]
        if not sigma > 0:
            raise ValueError(f"filter{axis}_sigma is {sigma}, expected a number above 0")
        if not 0 < width <= 0.5:
            raise ValueError(f"filter{axis}_width is {width}, expected a share of the axis, above 0 and up to 0.5")


@gadget(check=_check)
def generic_recon_k_space_filtering(
    connection: Connection,
    *,
    filterRO: Filter = "Gaussian",
    filterRO_sigma: float = 1.0,
    filterRO_width: float = 0.15,
    filterE1: Filter = "Gaussian",
    filterE1_sigma: float = 1.0,
    filterE1_width: float = 0.15,
    filterE2: Filter = "Gaussian",
    filterE2_sigma: float = 1.0,
    filterE2_width: float = 0.15,
    skip_processing_meta_field: str = SKIP,
    debug_folder: str = "",
    perform_timing: bool = False,
    verbose: bool = False,
) -> None:
    """Multiply k-space of images by a window along each axis. image arrays -> image arrays.

    filterRO, filterE1, filterE2: `Gaussian` (exp(-(sigma k)^2 / 2), k = 1 at the border), `Hanning`, `TaperedHanning`
    (flat but for a share `width` at each border) or `None`. Windows are centred on k-space and scaled so that noise
    keeps its level at what was sampled (sampling_limits in the meta; all without them). Where both borders of an axis
    were not sampled, the window ends at the farther one that was.

    Arrays whose meta has the entry skip_processing_meta_field pass unchanged, as other items do. debug_folder,
    perform_timing, verbose: taken for the sake of stock chains, without effect.

    Raises ValueError for sampling_limits that are of another matrix.
    """
    settings: Settings = [
        (filterRO, filterRO_sigma, filterRO_width),
        (filterE1, filterE1_sigma, filterE1_width),
        (filterE2, filterE2_sigma, filterE2_width),
    ]
    for item in connection.blocks():
        if isinstance(item, ImageArray) and item.data.size:
            metas = metas_of(item)
            if not (metas and skip_processing_meta_field in metas[0]):
                item = _resident(_filtered, item, metas[0] if metas else {}, settings)
        connection.send(item)


def _filtered(images: ImageArray, meta: Mapping[str, Any], settings: Settings) -> ImageArray:
    pixels = tensor(images.data)
    # Transformed together: the axes of an image that has a window.
    windows: dict[int, Tensor] = {}
    for number, (axis, (kind, sigma, width)) in enumerate(zip(AXES, settings, strict=True)):
        length = images.data.shape[number]
        if kind != "None" and length > 1:
            windows[-1 - number] = _window(kind, sigma, width, length, *sampled_range(meta, axis, length))
    if not windows:
        return images
    kspace = fft(pixels, list(windows))
    for place, window in windows.items():
        kspace = kspace * window.reshape([-1] + [1] * (-1 - place))
    return changed_array(images, ifft(kspace, list(windows)).numpy())


def _window(kind: Filter, sigma: float, width: float, length: int, first: int, last: int) -> Tensor:
    """A window on an axis of which first to last was sampled."""
    size = length
    if first > 0 and last < length - 1:
        size = 2 * max(length // 2 - first, last - length // 2) + 1
    if kind == "Gaussian":
        window = gaussian(size, sigma)
    else:
        window = hann(size) if kind == "Hanning" else tapered_hann(size, ceil(width * size))
    return on_range(window, length, first, last)
