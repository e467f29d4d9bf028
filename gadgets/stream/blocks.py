"""Blocks: consecutive acquisitions of one shape as a record array of headers and one data array.

Under load a gadget works on whole blocks, vectorised; with slow input a block is a single acquisition, so that no
latency is added. A block that was read from the wire is a view of the receive buffer: nothing is copied
until somebody needs it, and sending it on again is one contiguous write.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, overload

import ismrmrd
import numpy as np

from .dtypes import ACQUISITION_HEADER
from .errors import UnsupportedItem
from .ids import MessageId

Array = np.ndarray[Any, Any]
ID_BYTES = 2
HEAD_BYTES = ID_BYTES + ACQUISITION_HEADER.itemsize


class AcquisitionBlock:
    """Acquisitions of one shape, in the order in which they came.

    headers: records (n,) of AcquisitionHeader; data: complex64 (n, channels, samples);
    trajectory: float32 (n, samples, dimensions) or None. The arrays may be views at odd addresses of a receive
    buffer; change them in place, or make a new block with `with_data` when the shape changes.
    """

    __slots__ = ("data", "headers", "trajectory", "wire")

    def __init__(self, headers: Array, data: Array, trajectory: Array | None = None, *, wire: Array | None = None):
        if data.ndim != 3 or headers.shape != data.shape[:1]:
            raise ValueError(
                f"a block needs headers (n,) and data (n, channels, samples); got {headers.shape} and {data.shape}"
            )
        if trajectory is not None and trajectory.shape[:2] != (data.shape[0], data.shape[2]):
            raise ValueError(f"trajectory {trajectory.shape} does not fit data {data.shape}: (n, samples, dimensions)")
        self.headers = headers
        self.data = data
        self.trajectory = trajectory
        self.wire = wire

    @classmethod
    def from_wire(cls, wire: Array) -> AcquisitionBlock:
        """View messages (n, bytes) of uint8, each a whole ACQUISITION of one shape, as a block; nothing is copied."""
        head = np.ndarray((1,), ACQUISITION_HEADER, wire, ID_BYTES)[0]
        fields = ("active_channels", "number_of_samples", "trajectory_dimensions")
        channels, samples, dimensions = (int(head[name]) for name in fields)
        return cls.of_shape(wire, channels, samples, dimensions)

    @classmethod
    def of_shape(cls, wire: Array, channels: int, samples: int, dimensions: int) -> AcquisitionBlock:
        """As `from_wire`, for whoever knows the shape already."""
        n, stride = wire.shape
        headers: Array = np.ndarray((n,), ACQUISITION_HEADER, wire, ID_BYTES, (stride,))
        trajectory: Array | None = None
        if dimensions:
            trajectory = np.ndarray((n, samples, dimensions), np.float32, wire, HEAD_BYTES, (stride, 4 * dimensions, 4))
        offset = HEAD_BYTES + 4 * samples * dimensions
        data: Array
        if samples * channels:
            data = np.ndarray((n, channels, samples), np.complex64, wire, offset, (stride, 8 * samples, 8))
        else:
            data = np.empty((n, channels, samples), np.complex64)
        return cls(headers, data, trajectory, wire=wire)

    @classmethod
    def from_acquisitions(cls, acquisitions: Sequence[ismrmrd.Acquisition]) -> AcquisitionBlock:
        """Copy acquisitions of one shape into a block. Raises ValueError when their shapes differ."""
        headers = np.frombuffer(b"".join(bytes(a._head) for a in acquisitions), ACQUISITION_HEADER).copy()
        data = np.stack([a.data for a in acquisitions]).astype(np.complex64, copy=False)
        trajectory = None
        if acquisitions[0].traj.size:
            trajectory = np.stack([a.traj for a in acquisitions]).astype(np.float32, copy=False)
        return cls(headers, data, trajectory)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(channels, samples, trajectory dimensions) of each acquisition."""
        dimensions = 0 if self.trajectory is None else self.trajectory.shape[2]
        return self.data.shape[1], self.data.shape[2], dimensions

    @property
    def nbytes(self) -> int:
        """Size of the block on the wire."""
        channels, samples, dimensions = self.shape
        return len(self) * (HEAD_BYTES + 8 * channels * samples + 4 * samples * dimensions)

    def flagged(self, flag: int) -> Array:
        """Boolean (n,): which acquisitions carry an ISMRMRD flag (numbered from 1, as ismrmrd.ACQ_* are)."""
        mask: Array = (self.headers["flags"] & np.uint64(1 << (flag - 1))) != 0
        return mask

    def with_data(self, data: Array, trajectory: Array | None = None) -> AcquisitionBlock:
        """A new block with new data, copied headers, and the headers' sizes set to fit."""
        headers = self.headers.copy()
        headers["number_of_samples"] = data.shape[2]
        headers["active_channels"] = data.shape[1]
        headers["trajectory_dimensions"] = 0 if trajectory is None else trajectory.shape[2]
        return AcquisitionBlock(headers, data, trajectory)

    def messages(self) -> Array:
        """The block as messages (n, bytes) of uint8: the receive buffer itself when it still is one."""
        channels, samples, dimensions = self.shape
        headers = self.headers
        if (
            (headers["number_of_samples"] != samples).any()
            or (headers["active_channels"] != channels).any()
            or (headers["trajectory_dimensions"] != dimensions).any()
        ):
            raise UnsupportedItem(
                f"acquisition headers do not fit their data (channels {channels}, samples {samples}, "
                f"trajectory dimensions {dimensions})"
            )
        if self.wire is not None:
            return self.wire
        n = len(self)
        wire = np.empty((n, self.nbytes // n if n else HEAD_BYTES), np.uint8)
        wire[:, :ID_BYTES] = np.frombuffer(int(MessageId.ACQUISITION).to_bytes(ID_BYTES, "little"), np.uint8)
        if n:
            np.ndarray((n,), ACQUISITION_HEADER, wire, ID_BYTES, (wire.shape[1],))[...] = headers
            copy = AcquisitionBlock.from_wire(wire)
            copy.data[...] = self.data
            if copy.trajectory is not None and self.trajectory is not None:
                copy.trajectory[...] = self.trajectory
        return wire

    def __len__(self) -> int:
        return len(self.headers)

    def __iter__(self) -> Iterator[ismrmrd.Acquisition]:
        """Ordinary acquisitions with data of their own: one aligned copy for the whole block, then views of it."""
        data = np.array(self.data, np.complex64, order="C")
        heads = np.ascontiguousarray(self.headers).view(np.uint8).reshape(len(self), -1)
        if self.trajectory is None:
            trajectories: Iterable[Array] = (np.empty((data.shape[2], 0), np.float32) for _ in range(len(self)))
        else:
            trajectories = np.array(self.trajectory, np.float32, order="C")
        for head, values, trajectory in zip(heads, data, trajectories, strict=True):
            yield ismrmrd.Acquisition(ismrmrd.AcquisitionHeader.from_buffer_copy(head), values, trajectory)

    @overload
    def __getitem__(self, key: int) -> ismrmrd.Acquisition: ...
    @overload
    def __getitem__(self, key: slice | Array) -> AcquisitionBlock: ...
    def __getitem__(self, key: int | slice | Array) -> ismrmrd.Acquisition | AcquisitionBlock:
        """An acquisition (int), or a block of some of them (slice: a view; boolean mask or indices: a copy)."""
        if isinstance(key, int):
            key = range(len(self))[key]
            return next(iter(self[key : key + 1]))
        trajectory = None if self.trajectory is None else self.trajectory[key]
        contiguous = isinstance(key, slice) and key.step in (None, 1)
        wire = self.wire[key] if self.wire is not None and contiguous else None
        return AcquisitionBlock(self.headers[key], self.data[key], trajectory, wire=wire)


def joined_headers(blocks: Sequence[AcquisitionBlock]) -> Array:
    """The headers of all `blocks` as one record array; a copy. Numpy joins records field by field, bytes at once."""
    opaque = np.dtype((np.void, ACQUISITION_HEADER.itemsize))
    joined: Array = np.concatenate([b.headers.view(np.ndarray).view(opaque) for b in blocks])
    return joined.view(ACQUISITION_HEADER)


def merge(blocks: Sequence[AcquisitionBlock]) -> AcquisitionBlock:
    """One block from blocks of one shape, in order; a single one is returned as it is."""
    if len(blocks) == 1:
        return blocks[0]
    trajectories = [b.trajectory for b in blocks if b.trajectory is not None]
    return AcquisitionBlock(
        joined_headers(blocks),
        np.concatenate([b.data for b in blocks]),
        np.concatenate(trajectories) if trajectories else None,
    )
