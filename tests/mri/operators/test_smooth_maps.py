"""Smooth maps beyond what every operator must do."""

import pytest
import torch

from gadgets.mri.operators.smooth_maps import SmoothMapsOp
from gadgets.mri.phantom.scan import coil_maps

LIKE = torch.zeros(1, dtype=torch.complex128)


def test_coil_sensitivities_are_smooth():
    """What coils see, with its edges that are not alike, is a sum of few and small coefficients."""
    maps = torch.from_numpy(coil_maps((40, 41, 1), coils=4)).to(torch.complex128)
    operator = SmoothMapsOp((1, 41, 40), 10.0, LIKE)
    basis = operator(torch.eye(operator._weight.numel(), dtype=LIKE.dtype).reshape(-1, 1, *operator.coefficients))
    basis, maps = basis.flatten(1).mT, maps.flatten(1).mT
    damped = basis.mH @ basis + 1e-3 * torch.eye(basis.shape[1])
    found = torch.linalg.solve(damped, basis.mH @ maps)
    assert (basis @ found - maps).norm() < 0.01 * maps.norm()
    assert found.norm() < 3 * maps.norm()


def test_means_the_same_on_another_matrix():
    coarse, fine = (SmoothMapsOp((1, n, 2 * n), 10.0, LIKE) for n in (40, 120))
    assert coarse.coefficients == fine.coefficients
    torch.manual_seed(0)
    a = torch.randn(1, *coarse.coefficients, dtype=LIKE.dtype)
    # Places of the coarse grid lie on the fine one, which has 9 times the points of the plane.
    torch.testing.assert_close(3 * fine(a)[..., ::3, ::3], coarse(a))


def test_smoother_maps_change_less():
    def change(smoothness):
        torch.manual_seed(0)
        operator = SmoothMapsOp((1, 64, 64), smoothness, LIKE)
        maps = operator(torch.randn(1, *operator.coefficients, dtype=LIKE.dtype))
        return float(maps.diff(dim=-1).norm() / maps.norm())

    assert 1.5 * change(5.0) < change(10.0) < 2.5 * change(5.0)


def test_a_smoothness_is_a_frequency():
    with pytest.raises(ValueError, match="smoothness is 0"):
        SmoothMapsOp((1, 8, 8), 0, LIKE)
