"""Writing raw data as an ISMRMRD file, in blocks."""

from __future__ import annotations

import os
from typing import Any

import h5py
import ismrmrd
import numpy as np

from gadgets.stream.blocks import AcquisitionBlock
from gadgets.stream.dtypes import WAVEFORM_HEADER

from .hdf5 import ACQUISITION_RECORD, WAVEFORM_RECORD, Array, DatasetError, PartialFile

_CHUNK = 64
# HDF5 holds copies of what it is given at once.
_WRITTEN_BYTES = 4 << 20


class AcquisitionWriter:
    """An ISMRMRD file of acquisitions and waveforms under a header.

    The file gets its name when the writer is closed without an error; until then, and after one, it is
    `NAME.partial.h5`. A file of that name is not overwritten unless `overwrite` says so.
    """

    def __init__(self, path: str | os.PathLike[str], header: bytes, *, group: str = "dataset", overwrite: bool = False):
        self._output = PartialFile(path, keep_existing=False)
        if self._output.path.exists() and not overwrite:
            raise DatasetError(f"{path} exists already; choose another name, or remove it")
        self._group = self._output.open().create_group(group)
        self._group.create_dataset("xml", data=[header], dtype=h5py.string_dtype(), maxshape=(1,))
        self._data = self._group.create_dataset("data", (0,), ACQUISITION_RECORD, maxshape=(None,), chunks=(_CHUNK,))
        self._singles: list[ismrmrd.Acquisition] = []
        self._singles_bytes = 0
        self._waveforms: list[ismrmrd.Waveform] = []
        self.n_acquisitions = 0

    def write(self, item: AcquisitionBlock | ismrmrd.Acquisition | ismrmrd.Waveform) -> None:
        """Append a block, an acquisition or a waveform."""
        if isinstance(item, ismrmrd.Waveform):
            self._waveforms.append(item)
            if len(self._waveforms) == _CHUNK:
                self._write_waveforms()
        elif isinstance(item, AcquisitionBlock):
            self._write_singles()
            n = max(1, _WRITTEN_BYTES * len(item) // max(1, item.nbytes))
            for start in range(0, len(item), n):
                self._write_block(item[start : start + n])
        else:
            # Single acquisitions wait for others of their shape: HDF5 costs the same for one as for a hundred.
            if self._singles and _shape(self._singles[-1]) != _shape(item):
                self._write_singles()
            self._singles.append(item)
            self._singles_bytes += item.data.nbytes
            if self._singles_bytes >= _WRITTEN_BYTES:
                self._write_singles()

    def close(self, *, complete: bool = True) -> None:
        """Write what is left, and give the file its name if it is complete."""
        self._output.close(self._write_rest, complete=complete)

    def _write_rest(self) -> None:
        self._write_singles()
        self._write_waveforms()

    def __enter__(self) -> AcquisitionWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, *exception: object) -> None:
        self.close(complete=kind is None)

    def _write_singles(self) -> None:
        if self._singles:
            singles, self._singles, self._singles_bytes = self._singles, [], 0
            self._write_block(AcquisitionBlock.from_acquisitions(singles))

    def _write_block(self, block: AcquisitionBlock) -> None:
        n = len(block)
        records = np.empty(n, ACQUISITION_RECORD)
        records["head"] = block.headers
        for i, values in enumerate(_rows(block.data)):
            records["data"][i] = values
        trajectories = np.empty((n, 0), np.float32) if block.trajectory is None else _rows(block.trajectory)
        for i, values in enumerate(trajectories):
            records["traj"][i] = values
        _append(self._data, records)
        self.n_acquisitions += n

    def _write_waveforms(self) -> None:
        if not self._waveforms:
            return
        waveforms, self._waveforms = self._waveforms, []
        records = np.empty(len(waveforms), WAVEFORM_RECORD)
        for i, waveform in enumerate(waveforms):
            records["head"][i] = np.frombuffer(bytes(waveform.getHead()), WAVEFORM_HEADER)[0]
            records["data"][i] = np.ascontiguousarray(waveform.data, np.uint32).reshape(-1)
        target = self._group.get("waveforms")
        if target is None:
            target = self._group.create_dataset("waveforms", (0,), WAVEFORM_RECORD, maxshape=(None,), chunks=(_CHUNK,))
        _append(target, records)


def _shape(acquisition: ismrmrd.Acquisition) -> tuple[int, ...]:
    return (*acquisition.data.shape, *acquisition.traj.shape)


def _rows(values: Array) -> Array:
    """(n, ...) of float32 or complex64 as float32 (n, m), aligned and contiguous."""
    contiguous = np.array(values, order="C") if not values.flags.aligned else np.ascontiguousarray(values)
    rows: Array = contiguous.reshape(len(values), -1).view(np.float32)
    return rows


def _append(target: Any, records: Array) -> None:
    start = target.shape[0]
    target.resize((start + len(records),))
    target[start:] = records
