"""Total variation beyond what every prior must do."""

import torch

from gadgets.mri.operators.finite_difference import FiniteDifferenceOp
from gadgets.mri.priors.joint_l1 import JointL1
from gadgets.mri.priors.quadratic import Quadratic
from gadgets.mri.priors.total_variation import TotalVariation
from gadgets.mri.solvers.pdhg import pdhg


def test_plateaus_move_towards_each_other():
    x = torch.cat([torch.full((4,), 1.0 + 1j), torch.full((8,), 3.0 + 1j)]).to(torch.complex128)
    # A plateau of n points with one neighbour moves by step weight / n.
    expected = x + torch.cat([torch.full((4,), 0.5 / 4), torch.full((8,), -0.5 / 8)])
    torch.testing.assert_close(TotalVariation(weight=0.25, axes=(-1,)).prox(x, 2.0), expected)


def test_a_primal_dual_solver_finds_the_same():
    torch.manual_seed(0)
    x = torch.zeros(2, 10, 12, dtype=torch.complex128)
    x[:, 3:7, 2:8] = 1 + 1j
    x = x + 0.2 * torch.randn_like(x)
    weight = torch.tensor([0.1, 0.3], dtype=torch.float64).reshape(2, 1, 1)
    other = pdhg(
        FiniteDifferenceOp((-2, -1)),
        JointL1(axes=(0,), weight=weight),
        x,
        norm=8**0.5,
        dual_step=0.35,
        beside=Quadratic(weight=0.5, centre=x),
        iterations=2000,
        batch_dims=(0,),
    ).x
    # Neither has come to its end, where plateaus drift slowly: a thousandth of the square's brightness remains.
    torch.testing.assert_close(TotalVariation(weight=weight, iterations=300).prox(x, 1.0), other, rtol=0, atol=1e-3)


def test_images_are_denoised_by_themselves():
    torch.manual_seed(0)
    x = torch.randn(3, 6, 7, dtype=torch.complex128) * torch.tensor([0.1, 1, 20])[:, None, None]
    prior = TotalVariation(weight=0.3, iterations=20)
    together = prior.prox(x, 1.0)
    for index in range(3):
        torch.testing.assert_close(together[index], prior.prox(x[index], 1.0))
