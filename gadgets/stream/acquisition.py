"""ACQUISITION (1008): header of 340 bytes, float32 trajectory, then complex64 data [channel][sample].

Reading is in `codec.Decoder`, in bulk; the layout stands here.
"""

from __future__ import annotations

import struct
from typing import Any

import ismrmrd
import numpy as np

from .blocks import HEAD_BYTES, Array
from .errors import ProtocolError, UnsupportedItem
from .ids import MessageId
from .limits import Limits
from .primitives import U16, Buffer, buffer_of

# Offset inside the message, identifier included, and type.
_FIELDS: dict[str, tuple[int, np.dtype[Any]]] = {
    "flags": (2 + ismrmrd.AcquisitionHeader.flags.offset, np.dtype("<u8")),
    "number_of_samples": (2 + ismrmrd.AcquisitionHeader.number_of_samples.offset, np.dtype("<u2")),
    "active_channels": (2 + ismrmrd.AcquisitionHeader.active_channels.offset, np.dtype("<u2")),
    "trajectory_dimensions": (2 + ismrmrd.AcquisitionHeader.trajectory_dimensions.offset, np.dtype("<u2")),
}
# The same four fields in one go, with what lies between them.
_SHAPE = struct.Struct("<4xQ24xH2xH136xH")
_COMPRESSIONS = {ismrmrd.ACQ_COMPRESSION1: "ZFP", ismrmrd.ACQ_COMPRESSION2: "NHLBI"}
_COMPRESSED = sum(1 << (flag - 1) for flag in _COMPRESSIONS)
_ID = np.dtype("<u2")


def read_shape(storage: memoryview, start: int, limits: Limits) -> tuple[int, int, int, int]:
    """(channels, samples, trajectory dimensions, bytes) of the acquisition message at `start`, header arrived.

    Raises ProtocolError for compressed data, LimitExceeded for a size above the limit.
    """
    flags, samples, channels, dimensions = _SHAPE.unpack_from(storage, start)
    if flags & _COMPRESSED:
        names = [f"{name} (flag {flag})" for flag, name in _COMPRESSIONS.items() if flags >> (flag - 1) & 1]
        raise ProtocolError(
            f"compressed acquisition data, {' and '.join(names)}, is not supported; send it uncompressed"
        )
    size = HEAD_BYTES + 4 * samples * dimensions + 8 * channels * samples
    if size > limits.acquisition:
        limits.check("acquisition", size, f"acquisition of {channels} channels x {samples} samples")
    return channels, samples, dimensions, size


def run_length(storage: Array, start: int, size: int, available: int) -> int:
    """How many whole messages of the first one's shape follow each other in `available` bytes from `start`."""
    n = available // size
    if n == 1:
        return 1
    alike = np.ndarray((n,), _ID, storage, start, (size,)) == MessageId.ACQUISITION
    for name, (offset, dtype) in _FIELDS.items():
        values = np.ndarray((n,), dtype, storage, start + offset, (size,))
        alike &= (values & np.uint64(_COMPRESSED)) == 0 if name == "flags" else values == values[0]
    return n if alike.all() else int(alike.argmin())


def write_acquisition(acquisition: ismrmrd.Acquisition) -> list[Buffer]:
    """One acquisition; its header must fit its data."""
    head, data, trajectory = acquisition._head, acquisition.data, acquisition.traj
    expected = (head.active_channels, head.number_of_samples, head.trajectory_dimensions)
    found = (*data.shape, trajectory.shape[1] if trajectory.ndim == 2 else 0)
    if expected != found:
        raise UnsupportedItem(
            f"acquisition header says (channels, samples, trajectory dimensions) {expected}, data are {found}"
        )
    return [
        U16.pack(MessageId.ACQUISITION) + bytes(head),
        buffer_of(np.asarray(trajectory, "<f4", order="C")),
        buffer_of(np.asarray(data, "<c8", order="C")),
    ]
