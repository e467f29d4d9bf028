"""The matrix of patches beyond what every operator must do."""

import pytest
import torch

from gadgets.mri.operators.hankel import HankelOp


def test_rows_are_patches_of_all_coils():
    x = torch.arange(2 * 4 * 5, dtype=torch.float64).reshape(2, 1, 4, 5)
    rows = HankelOp((1, 4, 5), (1, 2, 3))(x)
    assert rows.shape == (9, 12)
    torch.testing.assert_close(rows[4], x[:, :, 1:3, 1:4].reshape(-1))


def test_the_pseudo_inverse_undoes_it_and_projects():
    torch.manual_seed(0)
    operator = HankelOp((3, 6, 5), (2, 3, 3))
    x = torch.randn(2, 4, 3, 6, 5, dtype=torch.complex64)
    torch.testing.assert_close(operator.pseudo_inverse(operator(x)), x)
    y = torch.randn_like(operator(x))
    rest = y - operator(operator.pseudo_inverse(y))
    assert operator.H(rest).abs().max() < 1e-4


def test_a_wave_has_rank_one():
    k = torch.arange(8, dtype=torch.float64)
    wave = torch.exp(0.7j * k)[:, None] * torch.exp(-0.2j * k)
    values = torch.linalg.svdvals(HankelOp((1, 8, 8), (1, 3, 3))(torch.stack([wave, 2j * wave])[:, None]))
    assert values[1] < 1e-12 * values[0]


def test_wrong_shapes_are_refused():
    with pytest.raises(
        ValueError, match=r"kernel is \(1, 9, 3\), expected three lengths from 1 to those of \(1, 8, 8\)"
    ):
        HankelOp((1, 8, 8), (1, 9, 3))
    operator = HankelOp((1, 8, 8), (1, 3, 3))
    with pytest.raises(ValueError, match=r"k-space has shape \(2, 1, 8, 7\), expected \(\*other, coil, 1, 8, 8\)"):
        operator(torch.zeros(2, 1, 8, 7))
    with pytest.raises(ValueError, match=r"patches have shape \(35, 18\), expected \(\*other, 36, coil \* 9\)"):
        operator.H(torch.zeros(35, 18))
