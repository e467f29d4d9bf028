"""L1-wavelet SENSE recovers from random samples what least squares cannot."""

import numpy as np
import pytest
import torch

from gadgets.mri.kspace import KSpace
from gadgets.mri.methods.cg_sense import CgSense
from gadgets.mri.methods.espirit_l1 import EspiritL1
from gadgets.mri.quality.errors import nrmse
from tests.support.sampled_phantom import phantom_scan, random_sampling


def error(method, kspace, csm, image):
    return nrmse(method(kspace, csm).numpy(), image.numpy())


@pytest.mark.parametrize("wavelet", ["haar", "daubechies4"])
def test_better_than_least_squares_from_a_sixth_of_the_samples(wavelet):
    scan = phantom_scan(96, random_sampling(96, 6))
    plain = min(error(CgSense(iterations=n, damping=d), *scan) for n in (5, 10, 20) for d in (1e-3, 1e-2, 1e-1))
    gain = 20 * np.log10(plain / error(EspiritL1(wavelet=wavelet), *scan))
    assert gain > 2


def test_random_samples_serve_better_than_regular_ones():
    regular = torch.zeros(1, 1, 96, 96, dtype=torch.bool)
    regular[..., ::2, ::3] = True
    regular[..., 42:54, 42:54] = True
    random = random_sampling(96, 96**2 / int(regular.sum()))
    errors = [error(EspiritL1(), *phantom_scan(96, mask, coils=4)) for mask in (random, regular)]
    assert errors[0] < 0.8 * errors[1]


def test_without_regularisation_it_is_least_squares():
    kspace, csm, _ = phantom_scan(48, random_sampling(48, 2))
    image = EspiritL1(regularisation=0, iterations=600)(kspace, csm)
    plain = CgSense(iterations=200, damping=0, tolerance=0)(kspace, csm)
    # Where coils tell little apart both are on their way still: 0.001 of the brightest point is left.
    torch.testing.assert_close(image, plain, rtol=0, atol=3e-3)


def test_the_same_call_gives_the_same_image():
    kspace, csm, _ = phantom_scan(48, random_sampling(48, 4))
    assert EspiritL1()(kspace, csm).equal(EspiritL1()(kspace, csm))


def test_no_signal_and_no_maps():
    kspace, csm, _ = phantom_scan(48, random_sampling(48, 4))
    silent = KSpace(data=torch.zeros_like(kspace.data), mask=kspace.mask)
    assert not EspiritL1()(silent, csm).any()
    assert not EspiritL1()(kspace, torch.zeros_like(csm)).any()
    half = csm.clone()
    half[..., :24] = 0
    assert not EspiritL1()(kspace, half)[..., :24].any()


def test_a_regularisation_below_nothing_is_refused():
    with pytest.raises(ValueError, match="EspiritL1.regularisation is -1"):
        EspiritL1(regularisation=-1)
