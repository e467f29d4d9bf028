"""ADMM and PDHG beyond what every solver must do."""

import pytest
import torch

from gadgets.mri.operators.finite_difference import FiniteDifferenceOp
from gadgets.mri.operators.identity import IdentityOp
from gadgets.mri.priors.joint_l1 import JointL1
from gadgets.mri.priors.l1 import L1
from gadgets.mri.priors.quadratic import Quadratic
from gadgets.mri.solvers.admm import admm
from gadgets.mri.solvers.cg import cg
from gadgets.mri.solvers.pdhg import pdhg

D = FiniteDifferenceOp((-2, -1))


def images():
    torch.manual_seed(0)
    b = torch.zeros(2, 10, 10, dtype=torch.complex128)
    b[:, 3:7, 2:8] = 1 + 1j
    return (b + 0.2 * torch.randn_like(b)) * torch.tensor([1.0, 5.0])[:, None, None]


def weight(b):
    return 0.1 * b.abs().amax(dim=(-2, -1), keepdim=True)


def by_admm(b, **settings):
    def minimise(v, x):
        return cg(lambda z: z + D.gram(z), b + D.H(v), iterations=40, start=x, batch_dims=(0,)).x

    return admm(minimise, D, JointL1(axes=(0,), weight=weight(b)), b, penalty=1.0, batch_dims=(0,), **settings)


def by_pdhg(b, **settings):
    prior = JointL1(axes=(0,), weight=weight(b))
    how = {"norm": 8**0.5, "dual_step": 0.35, "beside": Quadratic(weight=0.5, centre=b), "batch_dims": (0,)}
    return pdhg(D, prior, b, **how, **settings)


def test_both_find_the_same_image():
    b = images()
    first, second = by_admm(b, iterations=400).x, by_pdhg(b, iterations=1600).x
    torch.testing.assert_close(first, second, rtol=1e-3, atol=1e-3)

    def cost(x):
        return ((x - b).abs().square().sum() / 2 + JointL1(axes=(0,), weight=weight(b)).value(D(x))).item()

    assert cost(first) < 0.9 * cost(b)
    assert all(cost(first + 1e-2 * torch.randn_like(first)) > cost(first) for _ in range(5))


@pytest.mark.parametrize("solve", [by_admm, by_pdhg])
@pytest.mark.parametrize("tolerance", [0.0, 1e-3])
def test_a_batch_is_solved_as_its_members_are(solve, tolerance):
    b = images()
    together = solve(b, iterations=40, tolerance=tolerance)
    for i in range(2):
        alone = solve(b[i : i + 1], iterations=40, tolerance=tolerance)
        torch.testing.assert_close(together.x[i : i + 1], alone.x)


@pytest.mark.parametrize("solve", [by_admm, by_pdhg])
def test_says_what_it_did(solve):
    b = images()
    result = solve(b, iterations=500, tolerance=1e-3, objective=lambda x: (x - b).abs().square().sum())
    assert 1 < result.iterations < 500
    assert (result.change <= 1e-3).all() and result.change.shape == (2, 1, 1)
    assert result.objective.shape == (result.iterations,)


def test_admm_says_how_far_its_halves_disagree():
    b = images()
    few, many = by_admm(b, iterations=5), by_admm(b, iterations=200)
    assert few.residual > 1e-2 > 1e-4 > many.residual > 0


def test_wrong_settings_are_refused():
    x = torch.zeros(3)
    with pytest.raises(ValueError, match="penalty is 0"):
        admm(lambda v, x: x, IdentityOp(), L1(), x, penalty=0, iterations=1)
    with pytest.raises(ValueError, match="norm is 0 and dual_step is 1"):
        pdhg(IdentityOp(), L1(), x, norm=0, dual_step=1, iterations=1)
