"""Descent of convex functions whose curvature nobody told."""

import pytest
import torch

from gadgets.mri.solvers.descent import descent


def logistic(curvature):
    """sum log cosh(c x - 1) / c: a curvature of c at the minimum and of nothing far from it; its value and slope."""
    return (
        lambda x: (torch.log(torch.cosh((curvature * x - 1).clamp(-50, 50))) / curvature).sum(dim=-1, keepdim=True),
        lambda x: torch.tanh(curvature * x - 1),
    )


@pytest.mark.parametrize("step", [1e-3, 1.0, 1e3])
def test_f_falls_all_the_way_whatever_the_first_step(step):
    curvature = torch.tensor([0.1, 1.0, 30.0], dtype=torch.float64)
    value, slope = logistic(curvature)
    start = torch.tensor([4.0, -3.0, 0.5], dtype=torch.float64)
    found = descent(slope, start, iterations=400, step=step, objective=lambda x: value(x).sum())
    assert (found.objective.diff() <= 1e-12).all()
    torch.testing.assert_close(found.x, 1 / curvature, rtol=1e-4, atol=1e-5)


def test_elements_of_a_batch_find_lengths_of_their_own():
    curvature = torch.tensor([[1.0], [100.0]], dtype=torch.float64)
    start = torch.full((2, 1), 2.0, dtype=torch.float64)
    both = descent(lambda x: curvature * x, start, iterations=20, batch_dims=(0,))
    alone = descent(lambda x: 100.0 * x, start[1:], iterations=20, batch_dims=(0,))
    assert both.x[1:].equal(alone.x)


def test_single_precision_gets_as_near_as_it_can():
    """Values of f are flat to 3e-4 around the minimum in single precision; gradients are not."""
    torch.manual_seed(0)
    a = torch.randn(20, 10, dtype=torch.complex64)
    target = torch.randn(10, dtype=torch.complex64)
    found = descent(lambda x: a.mH @ (a @ (x - target)), torch.zeros_like(target), iterations=300)
    torch.testing.assert_close(found.x, target, rtol=1e-5, atol=1e-5)
