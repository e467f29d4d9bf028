"""Sparsity of wavelet coefficients beyond what every prior must do."""

from itertools import product

import torch

from gadgets.mri.priors.wavelet_l1 import Moves, WaveletL1


def moves(levels):
    return Moves(levels, torch.Generator().manual_seed(1))


def test_smooth_brightness_costs_nothing():
    x = torch.full((1, 45, 48), 2.0 + 1j, dtype=torch.complex128)
    prior = WaveletL1(weight=3.0)
    assert prior.value(x) < 1e-9
    torch.testing.assert_close(prior.prox(x, 1.0), x)
    assert prior.value(torch.randn_like(x)) > 1


def test_moves_draw_a_new_shift_each_time():
    torch.manual_seed(0)
    x = torch.randn(1, 16, 16, dtype=torch.complex128)
    prior = WaveletL1(moves=moves(3))
    again = WaveletL1(moves=moves(3))
    first = prior.prox(x, 1.0)
    assert not torch.allclose(first, prior.prox(x, 1.0))
    assert first.equal(again.prox(x, 1.0))


def test_a_cycle_of_shifts_has_each_of_an_axis_once():
    torch.manual_seed(0)
    x = torch.randn(1, 16, 16, dtype=torch.complex128)
    prior = WaveletL1(levels=2, moves=moves(2))
    expected = [WaveletL1(levels=2, shift=(0, *yx)).prox(x, 1.0) for yx in product(range(4), range(4))]
    for _ in range(3):
        proxes = [prior.prox(x, 1.0) for _ in range(4)]
        shifts = [next(i for i, other in enumerate(expected) if torch.allclose(one, other)) for one in proxes]
        assert sorted(shift // 4 for shift in shifts) == sorted(shift % 4 for shift in shifts) == [0, 1, 2, 3]


def test_the_mean_prox_is_the_mean_of_a_cycle():
    torch.manual_seed(0)
    x = torch.randn(1, 16, 16, dtype=torch.complex128)
    one, other = (WaveletL1(levels=2, moves=moves(2)) for _ in range(2))
    mean = sum(one.prox(x, 1.0) for _ in range(4)) / 4
    torch.testing.assert_close(other.mean_prox(x, 1.0), mean)
    plain = WaveletL1(levels=2, shift=(0, 1, 2))
    assert plain.mean_prox(x, 1.0).equal(plain.prox(x, 1.0))
