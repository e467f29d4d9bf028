"""Raw data in ISMRMRD files: acquisitions in blocks, waveforms where they belong in time, the header.

Writers and images have files of their own and can be imported from here too.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import h5py
import ismrmrd
import numpy as np

from gadgets.stream.blocks import HEAD_BYTES, AcquisitionBlock
from gadgets.stream.dtypes import ACQUISITION_HEADER, WAVEFORM_HEADER

from .acquisition_writer import AcquisitionWriter
from .hdf5 import Array, DatasetError, Records, find_group, open_for_reading, packed
from .images import ImageWriter, read_images

__all__ = ["AcquisitionWriter", "Dataset", "DatasetError", "ImageWriter", "read_images"]

BLOCK_BYTES = 2 << 20
_MOST_RECORDS = 4096
_WAVEFORMS_READ = 64


class Dataset:
    """One group of an ISMRMRD file, open for reading.

    header: the ISMRMRD header as XML bytes; n_acquisitions, n_waveforms: what the file holds.
    Raises DatasetError for a file that is missing or not HDF5, a group that is not there, a missing header, and
    a group without acquisitions.
    """

    def __init__(self, path: str | os.PathLike[str], group: str = "dataset"):
        self.path = os.fspath(path)
        self._file = open_for_reading(path)
        try:
            found = find_group(self._file, path, group)
            self._data, self._waveforms = found.get("data"), found.get("waveforms")
            self.n_acquisitions = 0 if self._data is None else int(self._data.size)
            self.n_waveforms = 0 if self._waveforms is None else int(self._waveforms.size)
            if not self.n_acquisitions:
                there = ", ".join(found) or "nothing"
                raise DatasetError(f"{path} holds no acquisitions in group {group!r}; it has: {there}")
            _check_layout(self._data, self.path)
            self.header = _read_header(found, self.path)
        except BaseException:
            self._file.close()
            raise

    def items(self, *, block_bytes: int = BLOCK_BYTES) -> Iterator[AcquisitionBlock | ismrmrd.Waveform]:
        """Blocks of consecutive acquisitions of one shape, in the file's order, with waveforms among them.

        A waveform comes before the first acquisition with a later time stamp. The file is read in slices of about
        `block_bytes`, so that it can be larger than memory.
        Raises DatasetError, naming the acquisition, where the file cannot be read or contradicts itself.
        """
        waveforms = self._read_waveforms()
        due = next(waveforms, None)
        for block in self._blocks(block_bytes):
            stamps = block.headers["acquisition_time_stamp"]
            sent = 0
            while due is not None:
                later = np.flatnonzero(stamps[sent:] > due.time_stamp)
                if not later.size:
                    break
                if later[0]:
                    yield block[sent : sent + int(later[0])]
                    sent += int(later[0])
                yield due
                due = next(waveforms, None)
            yield block[sent:] if sent else block
        while due is not None:
            yield due
            due = next(waveforms, None)

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> Dataset:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _blocks(self, block_bytes: int) -> Iterator[AcquisitionBlock]:
        records = Records(self._data, self.path, "acquisition")
        position = 0
        size = _message_bytes(records.read(0, 1))
        while position < self.n_acquisitions:
            wanted = max(1, min(block_bytes // size, _MOST_RECORDS, self.n_acquisitions - position))
            # A record does not say its size before it is read, and small acquisitions (noise) can be followed
            # by large ones: the slice's last record is looked at first, so that the slice stays within bounds.
            size = max(size, _message_bytes(records.read(position + wanted - 1, 1)))
            wanted = max(1, min(wanted, block_bytes // size))
            found = records.read(position, wanted)
            size = _message_bytes(found[-1:])
            yield from self._split(found, position)
            position += wanted

    def _split(self, records: Array, position: int) -> Iterator[AcquisitionBlock]:
        heads = packed(records["head"], ACQUISITION_HEADER, f"{self.path}: acquisition headers")
        shapes = np.stack([heads[name] for name in _SHAPE], axis=1)
        ends = [*(np.flatnonzero((shapes[1:] != shapes[:-1]).any(axis=1)) + 1).tolist(), len(heads)]
        start = 0
        for end in ends:
            samples, channels, dimensions = shapes[start].tolist()
            part = records[start:end]
            where = position + start
            data = self._joined(part["data"], 2 * channels * samples, where, f"{channels} channels x {samples} samples")
            trajectory = self._joined(part["traj"], samples * dimensions, where, f"{dimensions} trajectory dimensions")
            yield AcquisitionBlock(
                heads[start:end],
                data.view(np.complex64).reshape(end - start, channels, samples),
                trajectory.reshape(end - start, samples, dimensions) if dimensions else None,
            )
            start = end

    def _joined(self, values: Array, length: int, position: int, expected: str) -> Array:
        """The values of several records as one float32 array, once their lengths have been checked."""
        lengths = np.fromiter(map(len, values), np.int64, len(values))
        wrong = np.flatnonzero(lengths != length)
        if wrong.size:
            i = int(wrong[0])
            raise DatasetError(
                f"{self.path}: acquisition {position + i} says {expected} in its header ({length} values), "
                f"but {lengths[i]} are stored"
            )
        joined: Array = np.concatenate(values).astype(np.float32, copy=False)
        return joined

    def _read_waveforms(self) -> Iterator[ismrmrd.Waveform]:
        if not self.n_waveforms:
            return
        records = Records(self._waveforms, self.path, "waveform")
        for position in range(0, len(records), _WAVEFORMS_READ):
            found = records.read(position, _WAVEFORMS_READ)
            heads = packed(found["head"], WAVEFORM_HEADER, f"{self.path}: waveform headers")
            for i, (head, values) in enumerate(zip(heads, found["data"], strict=True)):
                shape = int(head["channels"]), int(head["number_of_samples"])
                if len(values) != shape[0] * shape[1]:
                    raise DatasetError(
                        f"{self.path}: waveform {position + i} says {shape[0]} channels x {shape[1]} samples in its "
                        f"header, but {len(values)} values are stored"
                    )
                yield ismrmrd.Waveform(head.tobytes(), np.asarray(values, np.uint32))


_SHAPE = ("number_of_samples", "active_channels", "trajectory_dimensions")


def _message_bytes(record: Array) -> int:
    return HEAD_BYTES + 4 * len(record["data"][0]) + 4 * len(record["traj"][0])


def _check_layout(data: Any, path: str) -> None:
    fields = data.dtype.fields if isinstance(data, h5py.Dataset) else None
    for name in ("traj", "data"):
        kind = h5py.check_vlen_dtype(fields[name][0]) if fields and name in fields and "head" in fields else None
        if kind is None or np.dtype(kind) != np.float32:
            raise DatasetError(
                f"{path}: its data are not ISMRMRD acquisitions (records of head, traj and data, the latter two "
                "float32 of any length)"
            )


def _read_header(group: h5py.Group, path: str) -> bytes:
    if "xml" not in group:
        raise DatasetError(f"{path} has no ISMRMRD header (no 'xml' in group {group.name.lstrip('/')!r})")
    try:
        value = np.asarray(group["xml"][()]).reshape(-1)[0]
    except (OSError, IndexError) as error:
        raise DatasetError(f"{path}: its ISMRMRD header cannot be read: {error}") from None
    return value.encode() if isinstance(value, str) else bytes(value)
