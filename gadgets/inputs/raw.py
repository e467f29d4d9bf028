"""K-space of files: raw data of ISMRMRD, and `kspace` of fastMRI."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import h5py
import ismrmrd
import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.complexfloating]


def kspaces(paths: Sequence[Path]) -> Iterator[Samples]:
    """K-space (coil, y, x) of each slice of some HDF5 files, 0 where nothing was acquired.

    Raises FileNotFoundError for a file that there is not, and ValueError for one without k-space, and as `raw` does.
    """
    for path in paths:
        if not path.is_file():
            raise FileNotFoundError(f"there is no file {path}")
        with h5py.File(path) as file:
            stored = file["kspace"][:] if "kspace" in file else None
        some = groups(path)
        if stored is None and not some:
            raise ValueError(f"{path} holds no k-space: neither raw data of ISMRMRD nor `kspace` of fastMRI")
        if stored is not None:
            yield from with_coils(stored)
        for group in some:
            for data, _ in raw(path, group):
                yield data


def with_coils(stored: Samples) -> Samples:
    """`kspace` of fastMRI as (slice, coil, y, x); that of one coil lacks the second axis."""
    return stored if stored.ndim == 4 else stored[:, None]


def groups(path: Path) -> list[str]:
    """Names of the data sets of ISMRMRD in a file."""
    with h5py.File(path) as file:
        return [name for name, group in file.items() if isinstance(group, h5py.Group) and {"data", "xml"} <= set(group)]


def raw(path: Path, group: str) -> list[tuple[Samples, NDArray[np.int64]]]:
    """K-space (coil, y, x) of each slice of a data set of ISMRMRD, and how often each line (y,) was acquired.

    Lines that were acquired several times are averaged; the oversampling of readouts is taken away. Noise and other
    encodings than the first are left out. Raises ValueError for data that are not Cartesian or not two-dimensional.
    """
    with ismrmrd.Dataset(str(path), group, mode="r") as dataset:
        header = ismrmrd.xsd.CreateFromDocument(dataset.read_xml_header())
        encoding = header.encoding[0]
        if encoding.trajectory.value != "cartesian":
            raise ValueError(f"{path} is {encoding.trajectory.value}; only Cartesian raw data are read here")
        matrix, fov = encoding.encodedSpace.matrixSize, encoding.encodedSpace.fieldOfView_mm
        if matrix.z > 1:
            raise ValueError(f"{path} is three-dimensional; only slices are read here")
        limits = encoding.encodingLimits
        centre = limits.kspace_encoding_step_1.center if limits.kspace_encoding_step_1 else matrix.y // 2
        slices: dict[int, NDArray[np.complex64]] = {}
        counts: dict[int, NDArray[np.int64]] = {}
        for index in range(dataset.number_of_acquisitions()):
            line = dataset.read_acquisition(index)
            if line.isFlagSet(ismrmrd.ACQ_IS_NOISE_MEASUREMENT) or line.encoding_space_ref:
                continue
            place = int(line.idx.kspace_encode_step_1) + matrix.y // 2 - centre
            start = matrix.x // 2 - line.center_sample
            key = int(line.idx.slice)
            if key not in slices:
                slices[key] = np.zeros((line.active_channels, matrix.y, matrix.x), np.complex64)
                counts[key] = np.zeros(matrix.y, np.int64)
            if not (0 <= place < matrix.y and 0 <= start <= matrix.x - line.number_of_samples):
                raise ValueError(f"{path}: acquisition {index} lies outside of the encoded matrix")
            slices[key][:, place, start : start + line.number_of_samples] += line.data
            counts[key][place] += 1
    width = round(matrix.x * encoding.reconSpace.fieldOfView_mm.x / fov.x)
    return [
        (_cropped(data / np.maximum(counts[key], 1, dtype=np.float32)[:, None], width), counts[key])
        for key, data in sorted(slices.items())
    ]


def to_image(kspace: Samples, axes: tuple[int, ...] = (-2, -1)) -> Samples:
    """The inverse transform along some axes, centred and orthonormal."""
    return np.fft.fftshift(np.fft.ifftn(np.fft.ifftshift(kspace, axes), axes=axes, norm="ortho"), axes)


def _cropped(kspace: Samples, width: int) -> Samples:
    """K-space of the central `width` points of the field of view along x."""
    if width >= kspace.shape[-1]:
        return kspace
    start = kspace.shape[-1] // 2 - width // 2
    lines = np.fft.ifftshift(to_image(kspace, (-1,))[..., start : start + width], -1)
    return np.fft.fftshift(np.fft.fft(lines, norm="ortho"), -1).astype(kspace.dtype)
