"""Wavelets beyond what every operator must do."""

import pytest
import torch

from gadgets.mri.operators.wavelet import WaveletOp


@pytest.mark.parametrize("wavelet", ["haar", "daubechies4"])
@pytest.mark.parametrize("matrix", [(1, 16, 32), (1, 45, 48), (6, 10, 7), (2, 3, 1)])
def test_is_orthogonal_for_any_size(wavelet, matrix):
    torch.manual_seed(0)
    x = torch.randn(2, *matrix, dtype=torch.complex128)
    operator = WaveletOp(levels=4, wavelet=wavelet, shift=(3, -1, 5))
    torch.testing.assert_close(operator.H(operator(x)), x)
    torch.testing.assert_close(operator(operator.H(x)), x)
    torch.testing.assert_close(operator(x).norm(), x.norm())


def test_single_precision_is_exact_to_its_digits():
    x = torch.randn(1, 64, 63, dtype=torch.complex64)
    back = WaveletOp().H(WaveletOp()(x))
    assert back.dtype == torch.complex64
    torch.testing.assert_close(back, x, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("wavelet", "degree"), [("haar", 0), ("daubechies4", 1)])
def test_vanishing_moments(wavelet, degree):
    x = torch.arange(32, dtype=torch.float64)[None] ** degree + torch.zeros(8, 1)
    operator = WaveletOp((-1,), levels=2, wavelet=wavelet)
    details = operator(x) * operator.details(x)
    # Where filters reach around the end of the axis a slope has a jump: one place at the first level, two at the next.
    assert (details[0].abs() > 1e-9).sum() == (0 if degree == 0 else 3)


@pytest.mark.parametrize("matrix", [(16, 16), (15, 13)])
def test_a_constant_has_no_details(matrix):
    operator = WaveletOp((-2, -1), levels=3)
    x = torch.ones(matrix, dtype=torch.float64)
    details = operator.details(x)
    assert operator(x)[details].abs().max() < 1e-12
    assert (~details).sum() == {(16, 16): 4, (15, 13): 21}[matrix]


def test_a_shift_moves_the_blocks():
    x = torch.randn(8, 8, dtype=torch.float64)
    moved = WaveletOp((-2, -1), shift=(1, 3))(x)
    torch.testing.assert_close(moved, WaveletOp((-2, -1))(torch.roll(x, (1, 3), (0, 1))))


def test_wrong_use_is_refused():
    with pytest.raises(ValueError, match="no wavelet 'db9'; there are: haar, daubechies4"):
        WaveletOp(wavelet="db9")
    with pytest.raises(ValueError, match="levels is -1"):
        WaveletOp(levels=-1)
    with pytest.raises(ValueError, match=r"axes are \(-2, -1\) and shift \(1,\), expected"):
        WaveletOp((-2, -1), shift=(1,))
