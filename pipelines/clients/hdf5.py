"""HDF5 as ISMRMRD files use it: opening and closing with clear errors, record types, packed headers."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from h5py import h5s, h5t

from gadgets.stream.dtypes import ACQUISITION_HEADER, WAVEFORM_HEADER

Array = np.ndarray[Any, Any]

#: One element of the HDF5 dataset `data`: header, trajectory and data as float32 of any length.
ACQUISITION_RECORD: np.dtype[Any] = np.dtype(
    [("head", ACQUISITION_HEADER), ("traj", h5py.vlen_dtype(np.float32)), ("data", h5py.vlen_dtype(np.float32))]
)
#: One element of the HDF5 dataset `waveforms`.
WAVEFORM_RECORD: np.dtype[Any] = np.dtype([("head", WAVEFORM_HEADER), ("data", h5py.vlen_dtype(np.uint32))])


class DatasetError(ValueError):
    """A file cannot be read or written as ISMRMRD HDF5; the text names the file and what is wrong with it."""


def open_for_reading(path: str | os.PathLike[str]) -> h5py.File:
    """Open an HDF5 file. Raises DatasetError when it is missing, unreadable, not HDF5 or cut short."""
    file = Path(path)
    if not file.exists():
        raise DatasetError(f"{path}: no such file")
    if file.is_dir():
        raise DatasetError(f"{path} is a folder; an ISMRMRD file (HDF5) is needed")
    try:
        return h5py.File(file, "r")
    except OSError as error:
        if os.access(file, os.R_OK) and not h5py.is_hdf5(file):
            raise DatasetError(f"{path} is not an HDF5 file") from None
        raise DatasetError(f"{path} cannot be opened: {error}") from None


def find_group(file: h5py.File, path: str | os.PathLike[str], group: str) -> h5py.Group:
    """A group of the file. Raises DatasetError, listing the groups there are, when it is not one."""
    found = file.get(group)
    if not isinstance(found, h5py.Group):
        there = ", ".join(name for name, member in file.items() if isinstance(member, h5py.Group)) or "none"
        raise DatasetError(f"{path} has no group {group!r}; groups there: {there}")
    return found


def packed(found: Array, dtype: np.dtype[Any], what: str) -> Array:
    """A contiguous copy of header records as `dtype`, field by field where the file lays them out otherwise.

    Raises DatasetError naming the fields that are missing.
    """
    if found.dtype == dtype:
        return found.copy()
    copy = np.zeros(found.shape, dtype)
    missing = [name for name in dtype.names or () if name not in (found.dtype.names or ())]
    if missing:
        raise DatasetError(f"{what} without {', '.join(missing)}")
    for name in dtype.names or ():
        copy[name] = packed(found[name], dtype[name], what) if dtype[name].names else found[name]
    return copy


class Records:
    """A one-dimensional HDF5 dataset of records, read in slices.

    Whole records are read: h5py, asked for some of the fields, reads the variable-length values of the others too and
    never frees them. HDF5's description of the records is made once, because it costs more than reading one.
    """

    def __init__(self, dataset: h5py.Dataset, path: str, what: str):
        self._dataset = dataset
        self._path, self._what = path, what
        self._type = h5t.py_create(dataset.dtype)
        self._space = dataset.id.get_space()
        self._ones = (1,) * (dataset.ndim - 1)  # some files have (n, 1) records

    def __len__(self) -> int:
        return int(self._dataset.size)

    def read(self, position: int, n: int) -> Array:
        """Up to `n` records from `position` on. Raises DatasetError, naming them, when they cannot be read."""
        n = min(n, len(self) - position)
        found = np.zeros(n, self._dataset.dtype)
        try:
            self._space.select_hyperslab((position, *(0 for _ in self._ones)), (n, *self._ones))
            self._dataset.id.read(h5s.create_simple((n,)), self._space, found, self._type)
        except (OSError, RuntimeError, ValueError) as error:
            which = f"{self._what} {position}" if n == 1 else f"{self._what}s {position} to {position + n - 1}"
            raise DatasetError(f"{self._path}: {which} cannot be read, the file is damaged: {error}") from None
        return found


class PartialFile:
    """An HDF5 file that gets its name only when it is complete.

    It is written as `NAME.partial.h5` beside its final name. `keep_existing` begins with a copy of what is under the
    final name already, so that a group can be added to a file without putting the others at risk.
    """

    def __init__(self, path: str | os.PathLike[str], *, keep_existing: bool):
        self.path = Path(path)
        self.partial = self.path.with_name(f"{self.path.stem}.partial.h5")
        if self.path.is_dir():
            raise DatasetError(f"{path} is a folder; name a file to write")
        if not self.path.absolute().parent.is_dir():
            raise DatasetError(f"{path} cannot be written: there is no folder {self.path.parent}")
        if not os.access(self.path.absolute().parent, os.W_OK):
            raise DatasetError(f"{path} cannot be written: the folder {self.path.parent} is read-only")
        self._keep = keep_existing and self.path.exists()
        if self._keep:
            open_for_reading(path).close()
        self.file: h5py.File | None = None

    def open(self) -> h5py.File:
        """The open file; made at the first call."""
        if self.file is None:
            try:
                if self._keep:
                    shutil.copyfile(self.path, self.partial)
                self.file = h5py.File(self.partial, "r+" if self._keep else "w")
            except OSError as error:
                raise DatasetError(f"{self.partial} cannot be written: {error}") from None
        return self.file

    def close(self, write_rest: Callable[[], None], *, complete: bool) -> None:
        """Write what is left, then give the file its name if it is `complete`, and leave it as it is otherwise."""
        try:
            write_rest()
        except BaseException:
            self.leave()
            raise
        if complete:
            self.finish()
        else:
            self.leave()

    def finish(self) -> None:
        """Close the file and give it its name. Nothing happens when it was never opened."""
        if self.file is not None:
            self.file.close()
            self.file = None
            os.replace(self.partial, self.path)

    def leave(self) -> None:
        """Close the file under its partial name."""
        if self.file is not None:
            self.file.close()
            self.file = None
