"""Accelerated proximal gradients beyond what every solver must do."""

import pytest
import torch

from gadgets.mri.priors.l1 import L1
from gadgets.mri.solvers.fista import fista


def lasso(batch=3):
    """Three problems of very different scale, min ||A x - b||^2 / 2 + weight ||x||_1."""
    torch.manual_seed(0)
    scale = torch.tensor([1.0, 10.0, 0.1], dtype=torch.float64)[:batch, None, None]
    a = torch.randn(batch, 20, 12, dtype=torch.complex128) * torch.logspace(0, -1, 12, dtype=torch.float64)
    b = scale * torch.randn(batch, 20, 1, dtype=torch.complex128)
    step = 1 / torch.linalg.matrix_norm(a, 2).square()[:, None, None]
    return a, b, 0.3 * scale, step


def gradient(a, b):
    return lambda x: a.mH @ (a @ x - b)


def value(a, b, weight):
    return lambda x: (a @ x - b).abs().square().sum() / 2 + L1(weight=weight).value(x)


def zero(a):
    return a.new_zeros((len(a), a.shape[-1], 1))


def test_an_orthogonal_matrix_takes_one_step():
    torch.manual_seed(0)
    q = torch.linalg.qr(torch.randn(8, 8, dtype=torch.complex128))[0]
    b, prior = torch.randn(8, 1, dtype=torch.complex128), L1(weight=0.5)
    result = fista(gradient(q, b), prior, torch.zeros_like(b), step=1.0, iterations=1)
    torch.testing.assert_close(result.x, prior.prox(q.mH @ b, 1.0))


def test_the_solution_is_stationary():
    a, b, weight, step = lasso()
    x = fista(gradient(a, b), L1(weight=weight), zero(a), step=step, iterations=3000, batch_dims=(0,)).x
    slope = a.mH @ (b - a @ x)
    there = x.abs() > 1e-9
    assert 0.2 < there.double().mean() < 1
    torch.testing.assert_close(slope[there], (weight * x / x.abs())[there], rtol=1e-6, atol=1e-6)
    assert ((slope.abs() <= weight * (1 + 1e-6)) | there).all()


@pytest.mark.parametrize("tolerance", [0.0, 1e-4])
def test_a_batch_is_solved_as_its_members_are(tolerance):
    a, b, weight, step = lasso()
    how = {"iterations": 60, "tolerance": tolerance, "batch_dims": (0,)}
    together = fista(gradient(a, b), L1(weight=weight), zero(a), step=step, **how)
    for i in range(3):
        one = slice(i, i + 1)
        alone = fista(gradient(a[one], b[one]), L1(weight=weight[one]), zero(a[one]), step=step[one], **how)
        torch.testing.assert_close(together.x[one], alone.x)
        torch.testing.assert_close(together.change[one], alone.change)


def test_restart_is_faster_where_the_problem_is_strongly_convex():
    a, b, weight, step = lasso(batch=1)
    cost = value(a, b, weight)

    def run(restart, iterations):
        how = {"step": step, "restart": restart, "iterations": iterations}
        return fista(gradient(a, b), L1(weight=weight), zero(a), objective=cost, **how).objective

    best = run(True, 5000)[-1]
    plain, restarted = run(False, 400), run(True, 400)
    assert restarted[-1] - best < 1e-3 * (plain[-1] - best)
    # Beck and Teboulle's bound, 2 ||x* - x_0||^2 / (step (k + 1)^2), holds for every iteration.
    solution = fista(gradient(a, b), L1(weight=weight), zero(a), step=step, iterations=5000).x
    k = torch.arange(1, 401)
    assert (plain - best <= 2 * solution.abs().square().sum() / (step.flatten() * (k + 1) ** 2) + 1e-9).all()


def test_stops_at_the_tolerance_and_says_what_it_did():
    a, b, weight, step = lasso()
    result = fista(
        gradient(a, b),
        L1(weight=weight),
        zero(a),
        step=step,
        iterations=5000,
        tolerance=1e-6,
        batch_dims=(0,),
        objective=value(a, b, weight),
    )
    assert 10 < result.iterations < 2000
    assert (result.change <= 1e-6).all() and result.change.shape == (3, 1, 1)
    assert result.objective.shape == (result.iterations,)
    assert result.objective[-1] < result.objective[0]


def test_no_iteration_is_no_change():
    a, b, weight, step = lasso()
    result = fista(gradient(a, b), L1(weight=weight), zero(a) + 1, step=step, iterations=0, objective=lambda x: x)
    assert (result.x == 1).all() and result.iterations == 0 and len(result.objective) == 0
    with pytest.raises(ValueError, match="iterations is -1"):
        fista(gradient(a, b), L1(), zero(a), step=step, iterations=-1)


def test_gradients_pass_through():
    a, b, _, step = lasso(batch=1)
    b.requires_grad_()
    x = fista(gradient(a, b), L1(weight=0.3), zero(a), step=step, iterations=50).x
    x.abs().square().sum().backward()
    assert b.grad.isfinite().all() and b.grad.abs().sum() > 0
