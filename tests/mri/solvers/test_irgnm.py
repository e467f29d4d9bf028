"""Gauss-Newton beyond what every solver must do."""

import pytest
import torch

from gadgets.mri.operators.linear_operator import LinearOperator
from gadgets.mri.operators.nonlinear_operator import NonlinearOperator
from gadgets.mri.solvers.irgnm import irgnm

SETTINGS = {"iterations": 12, "inner_tolerance": 1e-6}


class Powers(NonlinearOperator):
    """F(x)_i = sum_j a_ij (x_j + x_j^2), along the last axis."""

    def __init__(self, a):
        self.a = a

    def forward(self, x):
        return (x + x.square()) @ self.a.mT

    def derivative(self, x):
        return Slope(self.a, 1 + 2 * x)


class Slope(LinearOperator):
    def __init__(self, a, slope):
        self.a, self.slope = a, slope

    def forward(self, x):
        return (self.slope * x) @ self.a.mT

    def adjoint(self, y):
        return self.slope.conj() * (y @ self.a.conj())


def problem(*batch):
    torch.manual_seed(0)
    operator = Powers(torch.randn(9, 6, dtype=torch.complex128))
    truth = 1 + 0.3 * torch.randn(*batch, 6, dtype=torch.complex128)
    return operator, truth, torch.ones_like(truth)


def test_a_nonlinear_problem_is_solved():
    operator, truth, start = problem()
    data = operator(truth)
    result = irgnm(
        operator, data, start, **SETTINGS, reduction=0.1, objective=lambda x: (operator(x) - data).abs().square().sum()
    )
    assert result.iterations == 12
    torch.testing.assert_close(result.x, truth, rtol=1e-6, atol=1e-6)
    assert (result.objective.diff() < 0).all()
    assert float(result.change) < 1e-6


def test_with_little_regularisation_it_converges_as_newton_does():
    operator, truth, start = problem()
    error = [
        (irgnm(operator, operator(truth), start, iterations=n, regularisation=0.0, inner_tolerance=1e-10).x - truth)
        .norm()
        .item()
        for n in (2, 3, 4)
    ]
    # Squared each time, but for a constant that the curvature decides.
    assert error[1] < 2 * error[0] ** 2
    assert error[2] < 2 * error[1] ** 2


def test_the_end_of_regularisation_is_the_damped_minimum():
    operator, truth, start = problem()
    data = operator(truth) + torch.randn(9, dtype=torch.complex128)
    x = irgnm(operator, data, start, iterations=60, regularisation=0.5, reduction=1.0, inner_tolerance=1e-10).x
    gradient = operator.derivative(x).H(operator(x) - data) + 0.5 * (x - start)
    assert gradient.norm() < 1e-8 * data.norm()


@pytest.mark.parametrize("tolerance", [0.0, 1e-3])
def test_a_batch_is_solved_as_its_members_are(tolerance):
    operator, truth, start = problem(3)
    truth[1] *= 1.5
    together = irgnm(operator, operator(truth), start, **SETTINGS, tolerance=tolerance, batch_dims=(0,))
    for index in range(3):
        alone = irgnm(operator, operator(truth[index]), start[index], **SETTINGS, tolerance=tolerance)
        torch.testing.assert_close(together.x[index], alone.x)
        torch.testing.assert_close(together.change[index], alone.change)


def test_refusals():
    operator, truth, start = problem()
    with pytest.raises(ValueError, match="iterations is -1"):
        irgnm(operator, truth, start, iterations=-1)
    with pytest.raises(ValueError, match="regularisation is -1"):
        irgnm(operator, truth, start, iterations=1, regularisation=-1)
    with pytest.raises(ValueError, match="reduction is 0"):
        irgnm(operator, truth, start, iterations=1, reduction=0)
