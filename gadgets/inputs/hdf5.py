"""Images of HDF5 files: the layout of fastMRI, and raw data of ISMRMRD."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import h5py
import ismrmrd
import numpy as np
from numpy.typing import NDArray

# In this order: what is there first is taken, images rather than k-space.
_IMAGES = ("reconstruction_rss", "reconstruction_esc")


def volumes(path: Path) -> Iterator[tuple[str, NDArray[np.floating]]]:
    """Magnitudes (slice, y, x).

    Files of fastMRI hold images, or `kspace` (slice, coil, y, x) or, of one coil, (slice, y, x), which is combined by
    the root sum of squares. Raw data of ISMRMRD: Cartesian, fully sampled; all encodings of a slice are averaged.
    """
    with h5py.File(path) as file:
        for name in _IMAGES:
            if name in file:
                yield name, np.abs(file[name][:])
                return
        if "kspace" in file:
            data = file["kspace"]
            yield "kspace", np.stack([_combined(np.atleast_3d(data[index].T).T) for index in range(len(data))])
            return
        groups = [
            name for name, group in file.items() if isinstance(group, h5py.Group) and {"data", "xml"} <= set(group)
        ]
    for name in groups:
        yield name, _raw(path, name)


def _combined(kspace: NDArray[np.complexfloating]) -> NDArray[np.floating]:
    """Root sum of squares (y, x) of k-space (coil, y, x)."""
    axes = (-2, -1)
    images = np.fft.fftshift(np.fft.ifft2(np.fft.ifftshift(kspace, axes), norm="ortho"), axes)
    return np.sqrt((np.abs(images) ** 2).sum(axis=0))


def _raw(path: Path, group: str) -> NDArray[np.floating]:
    """Magnitudes (slice, y, x) of raw data."""
    with ismrmrd.Dataset(str(path), group, create_if_needed=False) as dataset:
        header = ismrmrd.xsd.CreateFromDocument(dataset.read_xml_header())
        encoding = header.encoding[0]
        if encoding.trajectory.value != "cartesian":
            raise ValueError(f"{path} is {encoding.trajectory.value}; only Cartesian raw data give images here")
        matrix, fov = encoding.encodedSpace.matrixSize, encoding.encodedSpace.fieldOfView_mm
        recon = encoding.reconSpace
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
    images = []
    for key in sorted(slices):
        if not counts[key].all():
            raise ValueError(f"{path}: slice {key} lacks {np.count_nonzero(counts[key] == 0)} of {matrix.y} lines")
        images.append(_combined(slices[key] / counts[key][:, None]))
    width = round(matrix.x * recon.fieldOfView_mm.x / fov.x)
    start = matrix.x // 2 - width // 2
    return np.stack(images)[..., start : start + width]
