"""Magnitude images out of files of many kinds, one at a time."""

from __future__ import annotations

import glob
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gadgets.inputs import dicom, hdf5, nifti, numpy

Volume = NDArray[np.floating]

#: Readers by the end of a file's name. Each yields the volumes (slice, y, x) of a file, magnitudes, by name.
READERS: dict[str, Callable[[Path], Iterator[tuple[str, Volume]]]] = {
    ".npy": numpy.volumes,
    ".npz": numpy.volumes,
    ".nii": nifti.volumes,
    ".nii.gz": nifti.volumes,
    ".h5": hdf5.volumes,
    ".hdf5": hdf5.volumes,
    ".mrd": hdf5.volumes,
    ".dcm": dicom.volumes,
}

# Volumes stay in memory up to this many bytes together; then those that were read first are dropped.
_KEPT_BYTES = 2 << 30

# Slices darker than this share of the brightest one of their volume show nothing but background.
_EMPTY = 0.1


class Files(Sequence[NDArray[np.floating]]):
    """All slices of all volumes of some files, as magnitude images (y, x). Volumes are read when they are asked for.

    paths: files, folders (DICOM, or any files within), or patterns. axes: the axes of a volume across which it is
    sliced; isotropic volumes give slices of three kinds. Slices of background are left out.

    Raises FileNotFoundError where a path matches nothing, ValueError for files of unknown kind or without an image.
    """

    def __init__(self, paths: Sequence[str | Path], axes: Sequence[int] = (0,)) -> None:
        wrong = [axis for axis in axes if axis not in (0, 1, 2)]
        if wrong or not axes:
            raise ValueError(f"axes is {tuple(axes)}, expected some of 0, 1, 2")
        self._files = [file for path in paths for file in _files(str(path))]
        self._known: dict[tuple[int, str], Volume] = {}
        self._slices = [
            (number, name, axis, index)
            for number, file in enumerate(self._files)
            for name, volume in _read(file)
            for axis in axes
            for index in _shown(volume, axis)
        ]

    def __len__(self) -> int:
        return len(self._slices)

    def __getitem__(self, index: int) -> NDArray[np.floating]:  # type: ignore[override]
        number, name, axis, place = self._slices[index]
        if (number, name) not in self._known:
            self._known[number, name] = next(volume for key, volume in _read(self._files[number]) if key == name)
            while len(self._known) > 1 and sum(volume.nbytes for volume in self._known.values()) > _KEPT_BYTES:
                self._known.pop(next(iter(self._known)))
        return np.take(self._known[number, name], place, axis)


def _files(path: str) -> list[Path]:
    """The files that a path means."""
    found = [Path(match) for match in sorted(glob.glob(path, recursive=True))]
    if not found:
        raise FileNotFoundError(f"there is no file {path}")
    inside = [file for one in found if one.is_dir() for file in [one] if any(dicom.files(one))]
    others = [file for one in found if one.is_dir() and one not in inside for file in sorted(one.rglob("*"))]
    return [one for one in found if one.is_file()] + inside + [file for file in others if _reader(file) is not None]


def _reader(file: Path) -> Callable[[Path], Iterator[tuple[str, Volume]]] | None:
    if file.is_dir():
        return dicom.volumes
    return next((reader for ending, reader in READERS.items() if file.name.lower().endswith(ending)), None)


def _read(file: Path) -> Iterator[tuple[str, Volume]]:
    reader = _reader(file)
    if reader is None:
        raise ValueError(f"{file} is of no known kind; known are: {', '.join(READERS)} and folders of DICOM files")
    some = False
    for name, volume in reader(file):
        some = True
        yield name, volume
    if not some:
        raise ValueError(f"{file} holds no images")


def _shown(volume: Volume, axis: int) -> list[int]:
    """Slices with something to see."""
    others = tuple(a for a in range(3) if a != axis)
    brightness = volume.mean(axis=others, dtype=np.float64)
    return [int(index) for index in np.flatnonzero(brightness > _EMPTY * brightness.max())]
