"""Acquisitions of radial scans of the analytic phantom, with their header."""

from __future__ import annotations

import ismrmrd
import numpy as np

from gadgets.mri.phantom.scan import sample
from gadgets.mri.phantom.trajectories import radial
from tests.support.streams import header_xml

SIZE, COILS = 48, 6


def header(spokes: int, slices: int = 1) -> bytes:
    """A field of view of 96 mm in pixels of 2 mm, encoded as 192 mm: readouts are twofold oversampled."""
    limits = {"kspace_encoding_step_1": (0, spokes - 1, spokes // 2), "slice": (0, slices - 1, 0)}
    return header_xml((2 * SIZE, 2 * SIZE, 1), (SIZE, SIZE, 1), coils=COILS, limits=limits, trajectory="radial")


def acquisitions(spokes: int, slices: int = 1, *, golden: bool = False, unit: float = 1 / (2 * SIZE)) -> list:
    """Spokes of each slice after one another; trajectories (kx, ky) in `unit` (by default normalised)."""
    made = []
    for index in range(slices):
        places = radial(spokes, 2 * SIZE, SIZE, golden=golden)
        data = SIZE * sample(places, coils=COILS, slice_index=8 * index)
        for spoke in range(spokes):
            trajectory = (2 * places[spoke, :, :0:-1] * unit).astype(np.float32)
            one = ismrmrd.Acquisition.from_array(np.ascontiguousarray(data[:, spoke]), trajectory)
            one.center_sample = SIZE
            one.scan_counter = len(made)
            one.idx.kspace_encode_step_1, one.idx.slice = spoke, index
            one.position[2] = 5.0 * index
            if spoke == spokes - 1:
                one.set_flag(ismrmrd.ACQ_LAST_IN_SLICE)
            made.append(one)
    return made
