"""SAKE finds missing samples without calibration lines."""

import numpy as np
import pytest
import torch

from gadgets.mri.calibration.compression import compression_matrix
from gadgets.mri.fft import fft
from gadgets.mri.kspace import KSpace
from gadgets.mri.methods.sake import Sake
from gadgets.mri.phantom.scan import cartesian
from gadgets.mri.quality.errors import nrmse
from tests.support.brain import brain


def scattered(data, base, height, seed=0):
    """Points drawn with a density that falls off from the centre, where no block is complete."""
    torch.manual_seed(seed)
    k1, k0 = (torch.arange(length) - length // 2 for length in data.shape[-2:])
    radius = ((k1[:, None] / len(k1)) ** 2 + (k0 / len(k0)) ** 2).sqrt() * 2
    mask = torch.rand(1, 1, *data.shape[-2:]) < base + height * torch.exp(-((1.6 * radius) ** 2))
    return KSpace(data=data * mask, mask=mask)


def gain(result, kspace, data):
    """How much nearer to the data than zeros, in dB."""
    return 20 * float(((kspace.data - data).norm() / (result - data).norm()).log10())


def test_data_of_low_rank_are_recovered():
    torch.manual_seed(1)
    # 12 points of an image seen by 4 coils: every patch is a sum of 12 patches.
    image = torch.zeros(1, 32, 32, dtype=torch.complex64)
    image.view(-1)[torch.randperm(1024)[:12]] = torch.randn(12, dtype=torch.complex64)
    data = fft(torch.randn(4, 1, 32, 32, dtype=torch.complex64) * image, (-3, -2, -1))
    kspace = scattered(data, 0.4, 0)
    # 0.48 of 25 points: a rank of 12.
    result = Sake(kernel=5, rank=0.48, iterations=300, tolerance=1e-6)._completed(kspace.data, kspace.mask)
    assert ((result - data).norm() / data.norm()) ** 2 < 1e-3


def test_a_phantom_from_a_quarter_of_its_samples():
    data = torch.from_numpy(cartesian((48, 48, 1), coils=4))
    kspace = scattered(data, 0.08, 0.55)
    assert kspace.acceleration > 4
    assert gain(Sake()._completed(kspace.data, kspace.mask), kspace, data) > 12


def test_what_was_acquired_is_kept():
    data = torch.from_numpy(cartesian((32, 32, 1), coils=4))
    kspace = scattered(data, 0.1, 0.5)
    result = Sake(iterations=3)._completed(kspace.data, kspace.mask)
    torch.testing.assert_close(result * kspace.mask, kspace.data)


def test_repetitions_are_recovered_each_for_itself():
    data = torch.from_numpy(cartesian((32, 32, 1), coils=4))
    parts = [scattered(data, 0.2, 0.5, seed) for seed in range(2)]
    kspace = KSpace(data=torch.stack([p.data for p in parts]), mask=torch.stack([p.mask for p in parts]))
    method = Sake(iterations=10)
    together = method(kspace)
    for image, part in zip(together, parts, strict=True):
        torch.testing.assert_close(image, method(part), rtol=1e-3, atol=1e-4 * float(image.abs().max()))


def test_a_rank_that_no_matrix_of_these_channels_has_is_refused():
    kspace = scattered(torch.ones(2, 1, 16, 16, dtype=torch.complex64), 0.5, 0)
    with pytest.raises(ValueError, match="rank is 2.5, expected from 0.028 to less than the 2 channels"):
        Sake(rank=2.5)(kspace)


@pytest.mark.data
@pytest.mark.slow
def test_a_brain_without_calibration_lines(data_dir):
    full, _, _ = brain(data_dir, 2)
    white = full.data.numpy()[:, 0]
    channels = compression_matrix(white.reshape(16, -1), coils=6)
    data = torch.from_numpy(np.einsum("vc,cyx->vyx", channels, white).astype(np.complex64))[:, None]
    kspace = scattered(data, 0.12, 0.5)
    method = Sake(iterations=50)
    expected, result = (method(one).abs().numpy() for one in (KSpace.from_data(data), kspace))
    zeros = Sake(iterations=0)(kspace).abs().numpy()
    assert nrmse(result, expected, scaled=True) < 0.2 * nrmse(zeros, expected, scaled=True)


def test_every_third_line_alone_is_refused():
    data = torch.zeros(4, 1, 24, 24, dtype=torch.complex64)
    data[:, :, ::3] = 1
    with pytest.raises(ValueError, match="along k1, only one point of every 3 was sampled.*sake needs"):
        Sake()(KSpace.from_data(data))
