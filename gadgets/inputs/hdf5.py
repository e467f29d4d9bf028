"""Images of HDF5 files: the layout of fastMRI, and raw data of ISMRMRD."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from gadgets.inputs.raw import Samples, groups, raw, to_image, with_coils

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
            yield "kspace", np.stack([_combined(one) for one in with_coils(file["kspace"][:])])
            return
    for name in groups(path):
        images = []
        for number, (data, counts) in enumerate(raw(path, name)):
            if not counts.all():
                raise ValueError(f"{path}: slice {number} lacks {np.count_nonzero(counts == 0)} of {len(counts)} lines")
            images.append(_combined(data))
        yield name, np.stack(images)


def _combined(kspace: Samples) -> NDArray[np.floating]:
    """Root sum of squares (y, x) of k-space (coil, y, x)."""
    return np.sqrt((np.abs(to_image(kspace)) ** 2).sum(axis=0))
