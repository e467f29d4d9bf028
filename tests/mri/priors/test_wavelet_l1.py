"""Sparsity of wavelet coefficients beyond what every prior must do."""

import torch

from gadgets.mri.priors.wavelet_l1 import WaveletL1


def test_smooth_brightness_costs_nothing():
    x = torch.full((1, 45, 48), 2.0 + 1j, dtype=torch.complex128)
    prior = WaveletL1(weight=3.0)
    assert prior.value(x) < 1e-9
    torch.testing.assert_close(prior.prox(x, 1.0), x)
    assert prior.value(torch.randn_like(x)) > 1


def test_a_generator_draws_a_new_shift_each_time():
    torch.manual_seed(0)
    x = torch.randn(1, 16, 16, dtype=torch.complex128)
    prior = WaveletL1(generator=torch.Generator().manual_seed(1))
    again = WaveletL1(generator=torch.Generator().manual_seed(1))
    first = prior.prox(x, 1.0)
    assert not torch.allclose(first, prior.prox(x, 1.0))
    assert first.equal(again.prox(x, 1.0))
