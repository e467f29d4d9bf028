"""A soft border for partial k-space, as Gadgetron's GenericReconPartialFourierHandlingFilterGadget."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gadgetron.types.image_array import ImageArray

from gadgets.mri.fft import fft, ifft
from gadgets.mri.windows import partial_fourier_window
from gadgets.outputs.images import changed_array, metas_of
from gadgets.outputs.sampling import AXES, SKIP, acceleration, encoding_of, partial_ranges
from gadgets.properties import gadget
from gadgets.resident import Resident
from gadgets.stream.connection import Connection
from gadgets.tensors import tensor, warm_torch

_resident = Resident("generic_recon_partial_fourier_handling_filter", warm_torch)


def _check(settings: Mapping[str, Any]) -> None:
    for axis in AXES:
        width = settings[f"partial_fourier_filter_{axis}_width"]
        if not 0 < width <= 0.5:
            raise ValueError(f"partial_fourier_filter_{axis}_width is {width}, expected above 0 and up to 0.5")


@gadget(check=_check)
def generic_recon_partial_fourier_handling_filter(
    connection: Connection,
    *,
    partial_fourier_filter_RO_width: float = 0.15,
    partial_fourier_filter_E1_width: float = 0.15,
    partial_fourier_filter_E2_width: float = 0.15,
    partial_fourier_filter_densityComp: bool = False,
    skip_processing_meta_field: str = SKIP,
    debug_folder: str = "",
    perform_timing: bool = False,
    verbose: bool = False,
) -> None:
    """Multiply partial k-space of images by a window that ends softly. image arrays -> image arrays.

    Along each axis of which one side was sampled less than the other (sampling_limits in the meta), by more than the
    acceleration, the border of that side rises like a Hann window over a share `width` of the axis, which keeps the
    image from ringing; what was not sampled is 0. Noise keeps its level. partial_fourier_filter_densityComp: count
    points without a counterpart twice. `partial_fourier` fills the missing part instead.

    Readouts are taken as E1 and E2 are: those that lack the same on both sides are left alone. Images of complete
    k-space, arrays whose meta has the entry skip_processing_meta_field, and other items pass unchanged. debug_folder,
    perform_timing, verbose: taken for the sake of stock chains, without effect.

    Raises ValueError for sampling_limits that are of another matrix.
    """
    widths = (partial_fourier_filter_RO_width, partial_fourier_filter_E1_width, partial_fourier_filter_E2_width)
    for item in connection.blocks():
        if isinstance(item, ImageArray) and item.data.size and (metas := metas_of(item)):
            factors = acceleration(connection.header.encoding[encoding_of(metas[0], connection.header)])
            ranges = partial_ranges(metas[0], item.data.shape[:3], factors)
            if any(ranges) and skip_processing_meta_field not in metas[0]:
                item = _resident(_filtered, item, ranges, widths, partial_fourier_filter_densityComp)
        connection.send(item)


def _filtered(
    images: ImageArray, ranges: list[tuple[int, int] | None], widths: tuple[float, ...], compensate: bool
) -> ImageArray:
    axes = [-1 - number for number, sampled in enumerate(ranges) if sampled is not None]
    kspace = fft(tensor(images.data), axes)
    for number, (sampled, width) in enumerate(zip(ranges, widths, strict=True)):
        if sampled is not None:
            window = partial_fourier_window(images.data.shape[number], *sampled, width, compensate=compensate)
            kspace = kspace * window.reshape([-1] + [1] * number)
    return changed_array(images, ifft(kspace, axes).numpy())
