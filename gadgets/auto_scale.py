"""Magnitude images on a common range, as Gadgetron's AutoScaleGadget."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Literal

import ismrmrd
import numpy as np

from gadgets.outputs.images import changed, name, require_finite
from gadgets.outputs.meta import copied, record_scaling
from gadgets.properties import gadget
from gadgets.stream.connection import Connection

log = logging.getLogger(__name__)

_BINS = 100
_SHARE = 0.99


def _check(properties: Mapping[str, Any]) -> None:
    if not properties["max_value"] > 0:
        raise ValueError(f"max_value is {properties['max_value']}, expected a number above 0")


@gadget(check=_check)
def auto_scale(
    connection: Connection, *, max_value: float = 2048.0, per: Literal["image", "slice", "series"] = "slice"
) -> None:
    """Multiply magnitude images so that nearly all of their pixels are below `max_value`. images -> images.

    The scale brings to max_value the level that Gadgetron takes: of a histogram of 100 bins from 0 to the brightest
    pixel, the upper edge of the bin after the one in which 99 % of the pixels are reached.

    per: what shares a scale. `image` is Gadgetron's way; it loses how images compare, and a contrast agent or a pulse
    shows as a change of everything else. With `slice` the first image of a slice sets it for all that follow in its
    series, so repetitions, contrasts and phases of the slice compare. With `series` slices compare too; but the first
    slice may lie outside of the body, and what is scaled to its noise exceeds the range of integers where the body is.
    Whichever it is, the scale is on record in the meta (RescaleSlope), and with it the intensities.

    Real images of type magnitude, or of no type, are scaled; complex images, other types and other items pass by. An
    image of zeros is left as it is, and sets nothing. Raises ValueError for pixels that are not finite.
    """
    scales: dict[tuple[int, ...], float] = {}
    for item in connection.blocks():
        if not isinstance(item, ismrmrd.Image) or not _is_magnitude(item):
            connection.send(item)
            continue
        key = (item.image_series_index, item.slice)[: 1 if per == "series" else 2]
        scale = None if per == "image" else scales.get(key)
        if scale is None:
            require_finite(item)
            level = bright_level(item.data)
            if level == 0:
                connection.send(item)
                continue
            scale = max_value / level
            scales[key] = scale
            log.info("%s: scaled by %.4g", name(item), scale)
        meta = copied(item.meta)
        record_scaling(meta, scale)
        connection.send(changed(item, (item.data * scale).astype(np.float32), meta=meta))


def bright_level(pixels: np.ndarray) -> float:
    """The level below which nearly all pixels are, as described above; 0 for an image without a positive pixel."""
    peak = float(pixels.max())
    if peak <= 0:
        return 0.0
    # Pixels below 0 count in the lowest bin.
    counts, _ = np.histogram(np.clip(pixels, 0, peak), bins=_BINS, range=(0, peak))
    reached = int(np.searchsorted(np.cumsum(counts), _SHARE * pixels.size))
    return (reached + 2) * peak / _BINS


def _is_magnitude(image: ismrmrd.Image) -> bool:
    return image.image_type in (0, ismrmrd.IMTYPE_MAGNITUDE) and not np.iscomplexobj(image.data)
