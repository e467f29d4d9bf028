"""K-space of the brain of 16 channels: fully sampled, and undersampled with calibration lines and noise."""

import numpy as np
import pytest
import torch

from gadgets.mri.calibration.noise import NoiseCovariance, noise_scale, whitening
from gadgets.mri.kspace import KSpace


def brain(data_dir, acceleration):
    """(full, undersampled, calibration lines), all of white noise by the noise of the undersampled scan."""
    h5py = pytest.importorskip("h5py")
    full, imaging, reference = (np.zeros((16, 1, 128, 128), np.complex64) for _ in range(3))
    covariance = NoiseCovariance(16)

    def read(name):
        with h5py.File(data_dir / "mrd" / name) as file:
            lines = file["dataset/data"][:]
        for line in lines:
            head = line["head"]
            samples = line["data"].view(np.complex64).reshape(int(head["active_channels"]), -1)
            yield int(head["flags"]), int(head["idx"]["kspace_encode_step_1"]), samples

    for _, line, samples in read("brain_gre_3T_16ch_full.h5"):
        full[:, 0, line] = samples
    for flags, line, samples in read(f"brain_gre_3T_16ch_retroR{acceleration}_acs24_noise.h5"):
        if flags >> 18 & 1:
            covariance.add(samples)
            continue
        calibration, both = flags >> 19 & 1, flags >> 20 & 1
        if calibration or both:
            reference[:, 0, line] = samples
        if not calibration:
            imaging[:, 0, line] = samples
    weights = whitening(covariance.matrix()) * noise_scale(20.0, 20.0, 1.0)
    return tuple(
        KSpace.from_data(torch.from_numpy(np.einsum("ab,bzyx->azyx", weights, x).astype(np.complex64)))
        for x in (full, imaging, reference)
    )
