"""Images in ISMRMRD files, laid out as Gadgetron's client does: GROUP/image_N/{header, attributes, data}."""

from __future__ import annotations

import os
import re
import time
from typing import Any
from xml.etree.ElementTree import ParseError

import h5py
import ismrmrd
import numpy as np

from gadgets.stream.dtypes import IMAGE_HEADER, PIXELS, data_type_of

from .hdf5 import Array, DatasetError, PartialFile, find_group, open_for_reading, packed

_GATHERED_BYTES = 4 << 20
_GATHERED_IMAGES = 64
# Complex pixels are pairs named so in ISMRMRD files.
_PAIRS = {8: np.dtype([("real", "<f4"), ("imag", "<f4")]), 16: np.dtype([("real", "<f8"), ("imag", "<f8")])}


class ImageWriter:
    """Images into a group of an ISMRMRD file; without a name the group is called by date and time.

    Each series goes to `image_SERIES`. An image whose size or pixel type differs from the first of its series goes to
    `image_SERIES_1` (then `_2`, ...), because one HDF5 array cannot hold both.

    The file gets its name when the writer is closed without an error; other groups that it held are kept. After an
    error, and until then, what came is in `NAME.partial.h5` (`partial`). Without a single image no file is made.
    """

    def __init__(self, path: str | os.PathLike[str], *, group: str | None = None):
        self.group = group or time.strftime("%Y-%m-%d %H:%M:%S")
        self._output = PartialFile(path, keep_existing=True)
        self.path, self.partial = self._output.path, self._output.partial
        if self.path.exists():
            with open_for_reading(path) as file:
                if self.group in file:
                    raise DatasetError(f"{path} has a group {self.group!r} already; choose another name")
        self._series: dict[tuple[int, tuple[int, ...], np.dtype[Any]], _Series] = {}
        self.n_images = 0

    def write(self, image: ismrmrd.Image) -> None:
        """Append an image. Raises UnsupportedItem for a pixel type that ISMRMRD does not have."""
        pixels = np.asarray(image.data)
        head = image.getHead()
        head.data_type = data_type_of(pixels.dtype)
        head.channels, head.matrix_size = pixels.shape[0], tuple(reversed(pixels.shape[1:]))
        meta = image.attribute_string
        head.attribute_string_len = len(meta.encode())
        key = head.image_series_index, pixels.shape, pixels.dtype
        if key not in self._series:
            self._series[key] = self._new_series(*key)
        self._series[key].append(head, meta, pixels)
        self.n_images += 1

    def close(self, *, complete: bool = True) -> None:
        """Write what is left, and give the file its name if it is complete."""
        self._output.close(self._write_rest, complete=complete)

    def _write_rest(self) -> None:
        for series in self._series.values():
            series.flush()

    def __enter__(self) -> ImageWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, *exception: object) -> None:
        self.close(complete=kind is None)

    def _new_series(self, index: int, shape: tuple[int, ...], dtype: np.dtype[Any]) -> _Series:
        known = sum(1 for other, _, _ in self._series if other == index)
        name = f"image_{index}_{known}" if known else f"image_{index}"
        return _Series(self._output.open().require_group(self.group).create_group(name), shape, dtype)


class _Series:
    """Images of one size and pixel type; gathered, because each HDF5 write costs as much as many images."""

    def __init__(self, group: h5py.Group, shape: tuple[int, ...], dtype: np.dtype[Any]):
        self._header = group.create_dataset("header", (0,), IMAGE_HEADER, maxshape=(None,), chunks=(_GATHERED_IMAGES,))
        self._attributes = group.create_dataset(
            "attributes", (0,), h5py.string_dtype(), maxshape=(None,), chunks=(_GATHERED_IMAGES,)
        )
        self._dtype = _PAIRS[dtype.itemsize] if dtype.kind == "c" else dtype
        self._data = group.create_dataset(
            "data",
            (0, *shape),
            self._dtype,
            maxshape=(None, *shape),
            chunks=(1, 1, 1, *(max(1, n) for n in shape[2:])),
        )
        self._waiting: list[tuple[Any, str, Array]] = []
        self._waiting_bytes = 0

    def append(self, head: Any, meta: str, pixels: Array) -> None:
        self._waiting.append((head, meta, pixels))
        self._waiting_bytes += pixels.nbytes
        if self._waiting_bytes >= _GATHERED_BYTES or len(self._waiting) >= _GATHERED_IMAGES:
            self.flush()

    def flush(self) -> None:
        waiting, self._waiting, self._waiting_bytes = self._waiting, [], 0
        if not waiting:
            return
        heads, metas, pixels = zip(*waiting, strict=True)
        start = self._header.shape[0]
        for target in (self._header, self._attributes, self._data):
            target.resize(start + len(waiting), axis=0)
        self._header[start:] = np.frombuffer(b"".join(map(bytes, heads)), IMAGE_HEADER)
        self._attributes[start:] = np.array(metas, dtype=object)
        self._data[start:] = np.stack(pixels).view(self._dtype)


def read_images(path: str | os.PathLike[str], group: str | None = None) -> dict[str, list[ismrmrd.Image]]:
    """The images of one group of a file, by series name (`image_0`, ...), in their order.

    `group` may be left out where only one group holds images. Raises DatasetError for a file without images, and,
    listing the groups, where several have some.
    """
    with open_for_reading(path) as file:
        if group is None:
            groups = [name for name, member in file.items() if isinstance(member, h5py.Group) and _series_of(member)]
            if len(groups) != 1:
                what = f"images in several groups, name one: {', '.join(groups)}" if groups else "no images"
                raise DatasetError(f"{path} has {what}")
            group = groups[0]
        found = find_group(file, path, group)
        names = _series_of(found)
        if not names:
            raise DatasetError(f"{path} has no images in group {group!r}; it has: {', '.join(found) or 'nothing'}")
        return {name: _read_series(found[name], f"{path}: {group}/{name}") for name in names}


def _series_of(group: h5py.Group) -> list[str]:
    names = [name for name, member in group.items() if isinstance(member, h5py.Group) and "header" in member]
    return sorted(names, key=lambda name: [int(n) for n in re.findall(r"\d+", name)])


def _read_series(group: h5py.Group, what: str) -> list[ismrmrd.Image]:
    try:
        heads = packed(group["header"][()], IMAGE_HEADER, f"{what}: image headers")
        metas = (
            group["attributes"].asstr(errors="replace")[()].reshape(-1) if "attributes" in group else [""] * len(heads)
        )
        pixels = group["data"][()]
    except (OSError, KeyError, RuntimeError) as error:
        raise DatasetError(f"{what} cannot be read: {error}") from None
    if pixels.dtype.names:
        pixels = pixels.view(np.complex64 if pixels.dtype.itemsize == 8 else np.complex128)
    images = []
    for i, (head, meta, values) in enumerate(zip(heads.reshape(-1), metas, pixels, strict=True)):
        header = ismrmrd.ImageHeader.from_buffer_copy(head.tobytes())
        shape = (header.channels, *reversed(tuple(header.matrix_size)))
        if PIXELS.get(header.data_type) != values.dtype or values.size != np.prod(shape):
            raise DatasetError(
                f"{what}: header {i} says {shape} of data type {header.data_type}, "
                f"the pixels are {values.shape} of {values.dtype}"
            )
        try:
            images.append(ismrmrd.Image(head=header, attribute_string=meta or None, data=values.reshape(shape)))
        except (ParseError, AssertionError) as error:
            raise DatasetError(f"{what}: the meta of image {i} is not ISMRMRD meta XML: {error}") from None
    return images
