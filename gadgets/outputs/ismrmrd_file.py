"""ISMRMRD files (HDF5) written as the items come, and put in their place only when they are whole."""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType
from typing import Any

import h5py
import ismrmrd
import numpy as np

from gadgets.stream.blocks import AcquisitionBlock
from gadgets.stream.dtypes import ACQUISITION_HEADER, IMAGE_HEADER, WAVEFORM_HEADER

_FLOATS, _INTEGERS = h5py.vlen_dtype(np.dtype("<f4")), h5py.vlen_dtype(np.dtype("<u4"))
_ACQUISITION = np.dtype([("head", ACQUISITION_HEADER), ("traj", _FLOATS), ("data", _FLOATS)])
_WAVEFORM = np.dtype([("head", WAVEFORM_HEADER), ("data", _INTEGERS)])
_TEXT = h5py.string_dtype("utf-8")


class IsmrmrdFile:
    """A file in the layout of the ISMRMRD library: a group with xml, image_N, data and waveforms.

    To be used in a `with` statement. What is written lies in a hidden file beside `path` until the statement ends
    without an exception; only then is it renamed, so that `path` is never half a file. If nothing was written there is
    no file, and after an exception neither.
    """

    def __init__(self, path: Path, group: str, header: bytes):
        self.path = path
        self.header = header
        self.name = group
        self.images = 0
        self._beside = path.with_name(f".{path.name}.{os.getpid()}.part")
        self._file: h5py.File | None = None

    def __enter__(self) -> IsmrmrdFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is None:
            return
        self._file.close()
        if kind is None:
            self._beside.replace(self.path)
        else:
            self._beside.unlink()

    def write_image(self, image: ismrmrd.Image) -> None:
        """Append to image_N, N being the series. Raises ValueError for an image of another shape than the series'."""
        name, pixels = f"image_{image.image_series_index}", image.data
        there = self._group.get(name)
        if there is not None and (there["data"].shape[1:], there["data"].dtype) != (pixels.shape, pixels.dtype):
            raise ValueError(
                f"{name} holds images {there['data'].shape[1:]} of {there['data'].dtype}; "
                f"one of {pixels.shape} of {pixels.dtype} cannot join them"
            )
        text, head = image.attribute_string, image.getHead()
        head.attribute_string_len = len(text.encode())
        self._append(f"{name}/data", pixels[None], pixels.dtype, pixels.shape)
        self._append(f"{name}/header", np.frombuffer(bytes(head), IMAGE_HEADER), IMAGE_HEADER)
        self._append(f"{name}/attributes", np.array([text], object), _TEXT)
        self.images += 1

    def write_acquisitions(self, block: AcquisitionBlock) -> None:
        """Append to data."""
        records = np.empty(len(block), _ACQUISITION)
        records["head"] = block.headers
        for index in range(len(block)):
            trajectory = np.empty(0, np.float32) if block.trajectory is None else block.trajectory[index]
            records["traj"][index] = np.ascontiguousarray(trajectory).ravel()
            records["data"][index] = np.ascontiguousarray(block.data[index]).view(np.float32).ravel()
        self._append("data", records, _ACQUISITION)

    def write_waveform(self, waveform: ismrmrd.Waveform) -> None:
        """Append to waveforms."""
        records = np.empty(1, _WAVEFORM)
        records["head"] = np.frombuffer(bytes(waveform.getHead()), WAVEFORM_HEADER)
        records["data"][0] = np.ascontiguousarray(waveform.data, np.uint32).ravel()
        self._append("waveforms", records, _WAVEFORM)

    @property
    def _group(self) -> h5py.Group:
        if self._file is None:
            self._file = h5py.File(self._beside, "w")
            group = self._file.create_group(self.name)
            group.create_dataset("xml", data=np.array([self.header], object), dtype=h5py.string_dtype("utf-8"))
        return self._file[self.name]

    def _append(self, name: str, values: np.ndarray, dtype: Any, shape: tuple[int, ...] = ()) -> None:
        group = self._group
        if name not in group:
            group.create_dataset(
                name, (0, *shape), dtype, maxshape=(None, *shape), chunks=(1, *shape) if shape else True
            )
        dataset = group[name]
        before = len(dataset)
        dataset.resize(before + len(values), axis=0)
        dataset[before:] = values
