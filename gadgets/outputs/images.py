"""Image arrays and images: made, taken apart, changed. Numpy only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import ismrmrd
import numpy as np
from gadgetron.types.image_array import ImageArray

from gadgets.outputs.meta import copied
from gadgets.stream.dtypes import IMAGE_HEADER
from gadgets.stream.headers import HeaderArray, header_array


class Counter:
    """Counts the images of each series from 1."""

    def __init__(self) -> None:
        self._last: dict[int, int] = {}

    def next(self, series: int) -> int:
        """The next index in a series."""
        self._last[series] = self._last.get(series, 0) + 1
        return self._last[series]


def image_array(
    pixels: np.ndarray, headers: HeaderArray, describe: Callable[[Any], ismrmrd.Meta], counter: Counter
) -> ImageArray:
    """An image array of complex pixels (LOC, S, N, channel, z, y, x), which is not copied.

    headers: [N, S, LOC]; their image_index is set by `counter`, slice by slice, n running fastest. describe: header ->
    meta.
    """
    metas = []
    # The order of meta strings in the message: n + N s + N S loc.
    for loc, s, n in np.ndindex(headers.shape[::-1]):
        header = headers[n, s, loc]
        if not is_empty(header):
            header.image_index = counter.next(header.image_series_index)
        metas.append(describe(header).serialize())
    return ImageArray(data=pixels.T, headers=headers, meta=metas)


def split(images: ImageArray) -> Iterator[ismrmrd.Image]:
    """The images of an array, n running fastest, then s, then loc; pixels (channel, z, y, x) are not copied.

    Those whose header is all zeros are left out: of them nothing was acquired.
    """
    headers = header_array(images.headers, IMAGE_HEADER)
    metas = list(images.meta or [])
    if metas and len(metas) != headers.size:
        raise ValueError(f"an image array of {headers.size} images has {len(metas)} metas")
    for position, (loc, s, n) in enumerate(np.ndindex(headers.shape[::-1])):
        header = headers[n, s, loc]
        if is_empty(header):
            continue
        meta = metas[position] if metas else ismrmrd.Meta()
        if isinstance(meta, str):
            meta = ismrmrd.Meta.deserialize(meta)
        yield ismrmrd.Image(head=header, data=images.data[..., n, s, loc].T, meta=meta)


def metas_of(images: ImageArray) -> list[ismrmrd.Meta]:
    """The metas of an array, copied; none where it has none."""
    return [ismrmrd.Meta.deserialize(m) if isinstance(m, str) else copied(m) for m in images.meta or []]


def changed_array(
    images: ImageArray,
    pixels: np.ndarray,
    *,
    headers: HeaderArray | None = None,
    metas: list[ismrmrd.Meta] | None = None,
) -> ImageArray:
    """An array with other pixels (LOC, S, N, channel, z, y, x) and, where given, headers and metas; else as it was."""
    return ImageArray(
        data=pixels.T,
        headers=images.headers if headers is None else headers,
        meta=images.meta if metas is None else [meta.serialize() for meta in metas],
        waveform=images.waveform,
        acq_headers=images.acq_headers,
    )


def is_empty(header: Any) -> bool:
    """Whether a header is all zeros."""
    return not any(bytes(header))


def changed(
    image: ismrmrd.Image, pixels: np.ndarray, *, meta: ismrmrd.Meta | None = None, **fields: int
) -> ismrmrd.Image:
    """An image with other pixels (channel, z, y, x), a copy of the meta or another one, and header fields replaced."""
    head = image.getHead()
    for name, value in fields.items():
        setattr(head, name, value)
    return ismrmrd.Image(head=head, data=pixels, meta=copied(image.meta) if meta is None else meta)


def name(image: ismrmrd.Image) -> str:
    """Which image it is, for messages."""
    return (
        f"image {image.image_index} of series {image.image_series_index} "
        f"(slice {image.slice}, contrast {image.contrast}, repetition {image.repetition})"
    )


def require_finite(image: ismrmrd.Image) -> None:
    """Raise ValueError if a pixel is NaN or infinite, naming the image."""
    wrong = image.data.size - int(np.isfinite(image.data).sum())
    if wrong:
        raise ValueError(f"{name(image)} has {wrong} pixels that are NaN or infinite")
