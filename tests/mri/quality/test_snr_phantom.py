"""Theory of noise on a real phantom: two images from different lines differ by what it says."""

import numpy as np
import pytest
import torch

from gadgets.mri.calibration.noise import NoiseCovariance, noise_scale, whitening
from gadgets.mri.fft import ifft
from gadgets.mri.kspace import KSpace
from gadgets.mri.methods.grappa import Grappa
from gadgets.mri.methods.sense import Sense
from tests.support.lattices import lattice_mask

pytestmark = pytest.mark.data


@pytest.fixture(scope="module")
def phantom(data_dir):
    """Full k-space, white by the noise of the air beside the phantom, and the middle of the phantom."""
    h5py = pytest.importorskip("h5py")
    data = np.zeros((16, 1, 128, 128), np.complex64)
    with h5py.File(data_dir / "mrd" / "phantom_gre_3T_16ch_full.h5") as file:
        for line in file["dataset/data"][:]:
            data[:, 0, int(line["head"]["idx"]["kspace_encode_step_1"])] = (
                line["data"].view(np.complex64).reshape(16, -1)
            )
    images = ifft(torch.from_numpy(data), (-3, -2, -1)).numpy()[:, 0]
    # Not of the first and last columns: at the edges of the readout, the receiver's filter lets less noise pass.
    air = np.concatenate([images[:, :8, 20:108], images[:, -8:, 20:108]], axis=1)
    covariance = NoiseCovariance(16)
    covariance.add(air.reshape(16, -1))
    weights = whitening(covariance.matrix()) * noise_scale(1.0, 1.0, 1.0)
    energy = np.sqrt((np.abs(images) ** 2).sum(axis=0))
    white = np.einsum("ab,bzyx->azyx", weights, data).astype(np.complex64)
    return KSpace.from_data(torch.from_numpy(white)), torch.from_numpy(energy > 0.3 * energy.max())


@pytest.mark.parametrize("step", [2, 3, 4])
@pytest.mark.parametrize("method", [Sense(), Grappa()], ids=["sense", "grappa"])
def test_images_of_different_lines_differ_by_their_noise(phantom, method, step):
    """In units of SNR the difference, over sqrt(2), has the standard deviation 1. The covariance of the air, of 1408
    samples, is good to sqrt(16 / 1408) = 11 %. Aliasing that is left would add to it."""
    whole, inside = phantom
    lines = (torch.arange(128) - 64).abs() < 16
    calibration = method.calibrate(KSpace(data=whole.data, mask=lines[None, None, :, None].expand(1, 1, 128, 128)))
    images = []
    for first in (0, 1):
        mask = lattice_mask((1, 128, 128), (1, step), first=(0, first))
        kspace = KSpace(data=whole.data * mask, mask=mask)
        unmixing = method.unmixing(kspace, calibration)
        images.append((unmixing(kspace) / unmixing.noise().clamp_min(1e-6))[0, 0])
    difference = (images[1] - images[0])[inside] / 2**0.5
    assert abs(float(difference.real.std()) - 1) < 0.11
    assert abs(float(difference.imag.std()) - 1) < 0.11
