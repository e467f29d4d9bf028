"""Arrays of ISMRMRD headers: one numpy record array instead of thousands of Python objects.

Gadgetron's own Python types hold headers as object arrays of ctypes structs, which costs some 50 us a header
to build. `HeaderArray` keeps the records packed as they are on the wire and still hands out ctypes structs,
sharing memory, wherever one element is asked for, so that gadgets written for the object arrays run unchanged.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Iterator
from typing import Any

import ismrmrd
import numpy as np

from .dtypes import ACQUISITION_HEADER, IMAGE_HEADER

_STRUCTS: dict[np.dtype[Any], Any] = {
    ACQUISITION_HEADER: ismrmrd.AcquisitionHeader,
    IMAGE_HEADER: ismrmrd.ImageHeader,
}


class HeaderArray(np.ndarray[Any, Any]):
    """Record array of AcquisitionHeader or ImageHeader.

    `headers["flags"]` is a plain numpy array of that field; `headers[0, 0]`, `headers.item(0)`, iteration over
    one dimension and `headers.flat` give `ismrmrd` header structs that share the array's memory.
    """

    def __getitem__(self, key: Any) -> Any:
        found = super().__getitem__(key)
        if isinstance(found, np.void) and found.dtype in _STRUCTS:
            return self._struct(key)
        if isinstance(found, HeaderArray) and found.dtype not in _STRUCTS:
            return found.view(np.ndarray)
        return found

    def __setitem__(self, key: Any, value: Any) -> None:
        if isinstance(value, ctypes.Structure):
            value = np.frombuffer(bytes(value), self.dtype)[0]
        super().__setitem__(key, value)

    def _struct(self, key: Any) -> Any:
        index = key if isinstance(key, tuple) else (key,)
        element = np.ndarray.__getitem__(self, (*index, Ellipsis))
        record = element.view(np.ndarray).reshape(1).view(np.uint8)
        struct = _STRUCTS[self.dtype]
        if record.flags.writeable:
            return struct.from_buffer(record)
        return struct.from_buffer_copy(record)

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))

    @property
    def flat(self) -> Any:
        return (self._struct(index) for index in np.ndindex(self.shape))

    def item(self, *index: Any) -> Any:
        """One header: `item(i)` counts in C order, `item(i, j, ...)` names the element."""
        if len(index) == 1 and isinstance(index[0], tuple):
            index = index[0]
        if len(index) == 1:
            index = tuple(int(i) for i in np.unravel_index(index[0], self.shape))
        elif not index:
            index = (0,) * self.ndim
        return self._struct(index)


def header_array(headers: Any, dtype: np.dtype[Any]) -> HeaderArray:
    """View or pack `headers` (a record array, or an object array or list of ctypes headers) as a HeaderArray.

    Record arrays are not copied. Empty places (None) of an object array become zeroed headers.
    """
    if isinstance(headers, np.ndarray) and headers.dtype == dtype:
        return headers.view(HeaderArray)
    objects = np.asarray(headers, dtype=object) if not isinstance(headers, np.ndarray) else headers
    records = np.zeros(objects.shape, dtype, order="F")
    for index in np.ndindex(objects.shape):
        if objects[index] is not None:
            records[index] = np.frombuffer(bytes(objects[index]), dtype)[0]
    return records.view(HeaderArray)


def zeros(shape: Iterable[int], dtype: np.dtype[Any]) -> HeaderArray:
    """A Fortran-ordered HeaderArray of zeroed headers, as composite messages hold them."""
    return np.zeros(tuple(shape), dtype, order="F").view(HeaderArray)
