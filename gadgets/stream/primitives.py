"""Building blocks of messages: numbers, strings, vectors, arrays, optionals.

Readers are generators: they yield the number of bytes they need next and are sent exactly those, as a uint8
array. They know nothing of sockets, so one reader serves blocking, buffered and byte-by-byte input alike.
Writers return lists of buffers, so that large arrays are sent without being copied.

Layouts: Gadgetron core/io/primitives.hpp.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Generator, Iterable
from typing import Any, TypeAlias, TypeVar

import numpy as np

from .errors import ProtocolError
from .limits import Limits

T = TypeVar("T")
Array = np.ndarray[Any, Any]
Reader: TypeAlias = Generator[int, Array, T]
Buffer: TypeAlias = bytes | memoryview

U8 = struct.Struct("<B")
U16 = struct.Struct("<H")
U32 = struct.Struct("<I")
U64 = struct.Struct("<Q")
MAX_DIMENSIONS = 16


def unsigned(nbytes: int) -> Reader[int]:
    """A little-endian unsigned integer of `nbytes` bytes."""
    return int.from_bytes((yield nbytes).tobytes(), "little")


def string(length_bytes: int, limits: Limits, what: str, kind: str = "text") -> Reader[bytes]:
    """A counted byte string."""
    n = limits.check(kind, (yield from unsigned(length_bytes)), what)
    return (yield n).tobytes()


def text(data: bytes, what: str) -> str:
    """Decode UTF-8 text; trailing NULs, which several clients count in, are dropped."""
    try:
        return data.rstrip(b"\0").decode("utf-8")
    except UnicodeDecodeError as error:
        raise ProtocolError(f"{what} is not UTF-8 text (byte {error.start})") from None


def aligned(view: Array, dtype: np.dtype[Any]) -> Array:
    """`view` (uint8) as an aligned, writable array of `dtype`; copied only where its address is odd."""
    if view.size and view.ctypes.data % dtype.itemsize:
        view = view.copy()
    return view.view(dtype)


def array(dtype: np.dtype[Any], limits: Limits, what: str, ndim: int) -> Reader[Array]:
    """An hoNDArray: u64 rank, u64 dimensions, elements in Fortran order. Rank 0 is an empty array of `ndim`."""
    rank = yield from unsigned(8)
    if rank > MAX_DIMENSIONS:
        raise ProtocolError(f"{what} has {rank} dimensions; at most {MAX_DIMENSIONS} are accepted")
    if rank == 0:
        return np.empty((0,) * ndim, dtype, order="F")
    dims = struct.unpack(f"<{rank}Q", (yield 8 * rank).tobytes())
    nbytes = limits.check("array", math.prod(dims) * dtype.itemsize, f"{what} {dims}")
    view = yield nbytes
    values = view.view(dtype) if dtype.names else aligned(view, dtype)
    return values.reshape(dims, order="F")


def optional(reader: Callable[[], Reader[T]]) -> Reader[T | None]:
    """A u8 flag, and what it announces."""
    if (yield from unsigned(1)):
        return (yield from reader())
    return None


def put_array(values: Array, dtype: np.dtype[Any]) -> list[Buffer]:
    """Write an hoNDArray; elements are converted to `dtype` where they differ."""
    if values.size == 0:
        return [U64.pack(0)]
    head = struct.pack(f"<{1 + values.ndim}Q", values.ndim, *values.shape)
    return [head, buffer_of(np.asarray(values, dtype, order="F"))]


def put_string(data: bytes, length: struct.Struct = U64) -> list[Buffer]:
    """Write a counted byte string."""
    return [length.pack(len(data)), data]


def put_optional(value: T | None, writer: Callable[[T], list[Buffer]]) -> list[Buffer]:
    """Write a u8 flag, and what it announces."""
    return [U8.pack(0)] if value is None else [U8.pack(1), *writer(value)]


def buffer_of(values: Array) -> memoryview:
    """The memory of a contiguous array (C or Fortran order) as bytes, without a copy."""
    flat = values.reshape(-1, order="A" if values.flags.f_contiguous else "C")
    return memoryview(np.ascontiguousarray(flat).view(np.uint8).data)


def joined(parts: Iterable[list[Buffer]]) -> list[Buffer]:
    """One list of buffers from several."""
    return [buffer for part in parts for buffer in part]
