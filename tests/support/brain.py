"""The brain of the scanner data, undersampled afterwards, with white noise."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import torch

from gadgets.mri.calibration.noise import NoiseCovariance, noise_scale, whitening
from gadgets.mri.kspace import KSpace

# Flags of ISMRMRD, counted from 0: noise, calibration, calibration and imaging.
_NOISE, _CALIBRATION, _BOTH = 18, 19, 20


def brain(folder: Path, acceleration: int) -> tuple[KSpace, KSpace, KSpace]:
    """Fully sampled, undersampled and calibration k-space (16, 1, 128, 128), `acceleration` 2 or 3."""
    full, imaging, reference = (np.zeros((16, 1, 128, 128), np.complex64) for _ in range(3))
    covariance = NoiseCovariance(16)
    for _, line, samples in _read(folder / "mrd" / "brain_gre_3T_16ch_full.h5"):
        full[:, 0, line] = samples
    for flags, line, samples in _read(folder / "mrd" / f"brain_gre_3T_16ch_retroR{acceleration}_acs24_noise.h5"):
        if flags >> _NOISE & 1:
            covariance.add(samples)
            continue
        if flags >> _CALIBRATION & 1 or flags >> _BOTH & 1:
            reference[:, 0, line] = samples
        if not flags >> _CALIBRATION & 1:
            imaging[:, 0, line] = samples
    white = whitening(covariance.matrix()) * noise_scale(20.0, 20.0, 1.0)
    adjusted = (np.einsum("ab,bzyx->azyx", white, x).astype(np.complex64) for x in (full, imaging, reference))
    a, b, c = (KSpace.from_data(torch.from_numpy(x)) for x in adjusted)
    return a, b, c


def _read(path: Path) -> Iterator[tuple[int, int, np.ndarray]]:
    with h5py.File(path) as file:
        lines = file["dataset/data"][:]
    for line in lines:
        head = line["head"]
        samples = line["data"].view(np.complex64).reshape(int(head["active_channels"]), -1)
        yield int(head["flags"]), int(head["idx"]["kspace_encode_step_1"]), samples
