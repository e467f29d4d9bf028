"""Images in 16-bit integers, as Gadgetron's FloatToUShortGadget."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import ismrmrd
import numpy as np

from gadgets.outputs.images import changed, name, require_finite
from gadgets.outputs.meta import copied, record_scaling, rescaling, set_window
from gadgets.properties import gadget
from gadgets.stream.connection import Connection

log = logging.getLogger(__name__)


def _check(properties: Mapping[str, Any]) -> None:
    low, high = properties["min_intensity"], properties["max_intensity"]
    if not 0 <= low < high <= 65535:
        raise ValueError(
            f"min_intensity {low} and max_intensity {high} are no range of 16-bit integers from 0 to 65535"
        )


@gadget(check=_check)
def float_to_u_short(
    connection: Connection,
    *,
    max_intensity: int = 32767,
    min_intensity: int = 0,
    intensity_offset: float | None = None,
) -> None:
    """Round pixels to integers, within min_intensity and max_intensity. real images -> uint16 images.

    Magnitude images, and those of no type, are rounded as they are. Real and imaginary images have negative pixels:
    intensity_offset is added to them, by default the middle of the range, or 0 where an earlier gadget has added an
    offset. Phase images (radians) go from min_intensity for -pi through the offset for 0, by default (and for an offset
    of 0) the middle of the range. Scale and offset are on record in the meta (RescaleSlope, RescaleIntercept).

    The meta gets a display window in integers, unless it has one: from the 0.5th to the 99.5th percentile of the first
    image of each slice of a series (magnitude: from min_intensity). Pixels beyond the range are clipped, and the log
    says so once for each series. Complex images, integer images and other items pass by.

    Raises ValueError for pixels that are not finite.
    """
    windows: dict[tuple[int, int], tuple[float, float]] = {}
    clipped: set[int] = set()
    middle = (min_intensity + max_intensity) / 2
    for item in connection.blocks():
        if not isinstance(item, ismrmrd.Image) or not np.issubdtype(item.data.dtype, np.floating):
            connection.send(item)
            continue
        require_finite(item)
        meta = copied(item.meta)
        factor, offset = 1.0, 0.0
        if item.image_type == ismrmrd.IMTYPE_PHASE:
            offset = intensity_offset or middle
            factor = (offset - min_intensity) / np.pi
        elif item.image_type in (ismrmrd.IMTYPE_REAL, ismrmrd.IMTYPE_IMAG):
            shifted = rescaling(meta)[1] != 0
            offset = (0.0 if shifted else middle) if intensity_offset is None else intensity_offset
        values = np.floor(item.data * factor + (offset + 0.5))
        pixels = np.clip(values, min_intensity, max_intensity).astype(np.uint16)
        beyond = int((values != pixels).sum())
        if beyond and item.image_series_index not in clipped:
            clipped.add(item.image_series_index)
            log.warning("%s: %d pixels are beyond %d to %d", name(item), beyond, min_intensity, max_intensity)
        if (factor, offset) != (1.0, 0.0):
            record_scaling(meta, factor, offset)
        if "WindowCenter" not in meta:
            key = (item.image_series_index, item.slice)
            if key not in windows:
                low, high = np.percentile(pixels, (0.5, 99.5))
                windows[key] = (min_intensity if _is_magnitude(item) else low, high)
            set_window(meta, *windows[key])
        connection.send(changed(item, pixels, meta=meta))


def _is_magnitude(image: ismrmrd.Image) -> bool:
    return image.image_type in (0, ismrmrd.IMTYPE_MAGNITUDE)
