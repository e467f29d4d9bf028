"""Total variation recovers piecewise smooth images from few samples."""

import numpy as np
import pytest
import torch

from gadgets.mri.kspace import KSpace
from gadgets.mri.methods.cg_sense import CgSense
from gadgets.mri.methods.total_variation import TotalVariation
from gadgets.mri.quality.errors import nrmse
from tests.support.sampled_phantom import phantom_scan, random_sampling


def error(method, kspace, csm, image):
    return nrmse(method(kspace, csm).numpy(), image.numpy())


def test_better_than_least_squares_from_a_sixth_of_the_samples():
    scan = phantom_scan(96, random_sampling(96, 6))
    plain = min(error(CgSense(iterations=n, damping=d), *scan) for n in (5, 10, 20) for d in (1e-3, 1e-2, 1e-1))
    gain = 20 * np.log10(plain / error(TotalVariation(), *scan))
    assert gain > 2


def test_a_disc_loses_the_contrast_that_it_should():
    y, x = torch.meshgrid(torch.arange(64) - 32.0, torch.arange(64) - 32.0, indexing="ij")
    image = 1 + (x**2 + y**2 < 12**2).to(torch.complex64)[None, None]
    one = torch.ones(1, 1, 64, 64, dtype=torch.complex64)
    kspace = phantom_scan(64, torch.ones(1, 1, 64, 64, dtype=torch.bool), coils=1)[0]
    kspace = KSpace(data=torch.fft.fftshift(torch.fft.fft2(torch.fft.ifftshift(image), norm="ortho")), mask=kspace.mask)
    result = TotalVariation(regularisation=0.1, iterations=1000)(kspace, one).real
    scale = float(image.abs().square().sum() / image.abs().sum())
    # Circumference over area is 2 / radius.
    lost = 2 - float(result[0, 0, 32, 32])
    assert abs(lost - 0.1 * scale * 2 / 12) < 0.2 * lost


def test_no_signal_and_no_maps():
    kspace, csm, _ = phantom_scan(48, random_sampling(48, 4))
    silent = KSpace(data=torch.zeros_like(kspace.data), mask=kspace.mask)
    assert not TotalVariation()(silent, csm).any()
    assert not TotalVariation()(kspace, torch.zeros_like(csm)).any()


def test_no_regularisation_is_refused():
    with pytest.raises(ValueError, match="TotalVariation.regularisation is 0, expected more than 0"):
        TotalVariation(regularisation=0)
