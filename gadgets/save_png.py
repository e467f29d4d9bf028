"""Images as PNG files."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import ismrmrd
import numpy as np

from gadgets.outputs.images import Counter
from gadgets.outputs.png import png
from gadgets.properties import gadget
from gadgets.stream.connection import Connection

log = logging.getLogger(__name__)


def _check(properties: Mapping[str, Any]) -> None:
    window = properties["window"]
    if len(window) != 2 or not 0 <= window[0] < window[1] <= 100:
        raise ValueError(f"window is {window}, expected two percentiles from 0 to 100, the lower one first")


@gadget(check=_check)
def save_png(connection: Connection, *, folder: Path, window: tuple[float, ...] = (0.5, 99.5)) -> None:
    """Write each slice of each image into `folder`, which is made if need be. images -> the same images.

    Files are series0000_image0001_slice000.png, with _z000 for volumes and _channel000 for images of several channels;
    earlier files of that name are replaced. Images without an index are counted. `window`: percentiles of the image
    that are black and white. Complex images are shown by their magnitude. Other items pass by.

    Raises OSError where the folder cannot be written.
    """
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    counter = Counter()
    written: set[str] = set()
    for item in connection.blocks():
        if isinstance(item, ismrmrd.Image):
            for name, picture in _pictures(item, window, counter, written):
                (target / name).write_bytes(picture)
        connection.send(item)
    log.info("%d pictures in %s", len(written), target)


def _pictures(
    image: ismrmrd.Image, window: tuple[float, ...], counter: Counter, written: set[str]
) -> Iterator[tuple[str, bytes]]:
    """File name and PNG of each channel and z of an image. A name that was used is not used again."""
    pixels = np.abs(image.data) if np.iscomplexobj(image.data) else image.data
    low, high = np.nanpercentile(pixels, window)
    series, counted = image.image_series_index, counter.next(image.image_series_index)
    stem = f"series{series:04d}_image{image.image_index or counted:04d}_slice{image.slice:03d}"
    for channel, z in np.ndindex(*pixels.shape[:2]):
        name = stem
        name += f"_channel{channel:03d}" if pixels.shape[0] > 1 else ""
        name += f"_z{z:03d}" if pixels.shape[1] > 1 else ""
        if f"{name}.png" in written:
            name += f"_{counted:04d}"
        written.add(f"{name}.png")
        yield f"{name}.png", png(pixels[channel, z], low, high)
