"""What is true of every solver."""

from pathlib import Path

import pytest
import torch

import gadgets.mri.solvers
from gadgets.mri.operators.finite_difference import FiniteDifferenceOp
from gadgets.mri.operators.fourier import FourierOp
from gadgets.mri.operators.identity import IdentityOp
from gadgets.mri.operators.linear_operator import LinearOperator
from gadgets.mri.operators.nonlinear_operator import NonlinearOperator
from gadgets.mri.priors.l1 import L1
from gadgets.mri.priors.quadratic import Quadratic
from gadgets.mri.solvers.admm import admm
from gadgets.mri.solvers.anderson import anderson
from gadgets.mri.solvers.cg import cg
from gadgets.mri.solvers.deadline import deadline
from gadgets.mri.solvers.descent import descent
from gadgets.mri.solvers.equilibrium import equilibrium
from gadgets.mri.solvers.fista import fista
from gadgets.mri.solvers.fit import fit
from gadgets.mri.solvers.irgnm import irgnm
from gadgets.mri.solvers.pdhg import pdhg
from gadgets.mri.solvers.power_iteration import power_iteration
from gadgets.mri.solvers.unrolled import gradient_step, proximal_step, unrolled


def largest(g):
    return float(torch.linalg.eigvalsh(g)[-1])


def by_admm(g, b, ridge):
    shifted = g + 2 * torch.eye(len(b))
    return admm(
        lambda v, x: torch.linalg.solve(shifted, b + 2 * v),
        IdentityOp(),
        Quadratic(weight=ridge / 2),
        torch.zeros_like(b),
        penalty=2.0,
        iterations=300,
    ).x


def by_fista(g, b, ridge):
    prior = Quadratic(weight=ridge / 2)
    return fista(lambda x: g @ x - b, prior, torch.zeros_like(b), step=1 / largest(g), iterations=500).x


class Matrix(LinearOperator, NonlinearOperator):
    """A linear operator, which is its own derivative."""

    def __init__(self, a):
        self.a = a

    def forward(self, x):
        return self.a @ x

    def adjoint(self, y):
        return self.a.mH @ y

    def derivative(self, x):
        return self


def by_fit(g, b, ridge):
    """A module that is the solution itself."""
    module = torch.nn.Module()
    module.x = torch.nn.Parameter(torch.zeros_like(b))

    def objective(_):
        return ((module.x.conj() * (g @ module.x + ridge * module.x)).real / 2 - (b.conj() * module.x).real).sum()

    fit(module, objective, iterations=3000, rate=0.1, every=500)
    return module.x.detach()


def by_irgnm(g, b, ridge):
    upper = torch.linalg.cholesky(g).mH
    data = torch.linalg.solve(upper.mH, b)
    settings = {"iterations": 2, "reduction": 1.0, "inner_tolerance": 0.0, "inner_iterations": 20}
    return irgnm(Matrix(upper), data, torch.zeros_like(b), regularisation=ridge, **settings).x


def by_pdhg(g, b, ridge):
    return pdhg(
        IdentityOp(),
        Quadratic(weight=ridge / 2),
        torch.zeros_like(b),
        norm=1.0,
        dual_step=2.0,
        iterations=1000,
        gradient=lambda x: g @ x - b,
        lipschitz=largest(g),
    ).x


def gradient_descent(g, b, ridge):
    """A step of gradient descent, whose fixed point is the solution."""
    return lambda x: x - (g @ x + ridge * x - b) / (largest(g) + ridge)


def by_descent(g, b, ridge):
    """With a first step that is much too long."""

    return descent(lambda x: g @ x + ridge * x - b, torch.zeros_like(b), iterations=600, step=100.0).x


def by_unrolling(g, b, ridge):
    """Networks that change nothing, with both kinds of consistency in turn."""
    weight = torch.tensor(2.0, dtype=b.real.dtype)

    def consistency(x, z, k):
        if k % 2:
            return gradient_step(lambda v: g @ v + ridge * v, b, x, z, 1 / (largest(g) + ridge))
        return proximal_step(lambda v: g @ v + ridge * v, b, z, weight, iterations=20)

    return unrolled([lambda x: x] * 400, consistency, torch.zeros_like(b))


# (G + ridge) x = b, as the minimum of x^H G x / 2 - Re b^H x + ridge ||x||^2 / 2.
SYSTEMS = {
    "admm": by_admm,
    "anderson": lambda g, b, ridge: anderson(gradient_descent(g, b, ridge), torch.zeros_like(b), iterations=200).x,
    "cg": lambda g, b, ridge: cg(lambda x: g @ x + ridge * x, b, iterations=20).x,
    "descent": by_descent,
    "equilibrium": lambda g, b, ridge: (
        equilibrium(gradient_descent(g, b, ridge), torch.zeros_like(b), iterations=200).x
    ),
    "fista": by_fista,
    "fit": by_fit,
    "irgnm": by_irgnm,
    "pdhg": by_pdhg,
    "unrolled": by_unrolling,
}
EIGENVALUES = {"power_iteration": lambda g, start: power_iteration(lambda x: g @ x, start, iterations=500)}

# What solvers and methods share, and is no solver.
OTHERS = {"curriculum", "deadline", "generator", "members", "progress", "reach", "rings", "starts"}

# min ||x - b||^2 / 2 + g(K x).
DENOISE = {
    "admm": lambda k, norm, prior, b: admm(
        lambda v, x: cg(lambda z: z + k.gram(z), b + k.H(v), iterations=50, start=x).x,
        k,
        prior,
        torch.zeros_like(b),
        penalty=1.0,
        iterations=300,
    ),
    "pdhg": lambda k, norm, prior, b: pdhg(
        k, prior, torch.zeros_like(b), norm=norm, dual_step=0.5, iterations=1500, beside=Quadratic(weight=0.5, centre=b)
    ),
    "pdhg smooth": lambda k, norm, prior, b: pdhg(
        k, prior, b, norm=norm, dual_step=0.5, iterations=1500, gradient=lambda x: x - b, lipschitz=1.0
    ),
}


def test_every_solver_on_disk_has_an_example():
    folder = Path(next(iter(gadgets.mri.solvers.__path__)))
    solvers = {file.stem for file in folder.glob("[!_]*.py")} - OTHERS
    assert solvers == set(SYSTEMS) | set(EIGENVALUES)


def system(dtype):
    torch.manual_seed(0)
    a = torch.randn(12, 8, dtype=dtype)
    return a.mH @ a, torch.randn(8, dtype=dtype)


@pytest.mark.parametrize("name", SYSTEMS)
@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128])
@pytest.mark.parametrize("ridge", [0.0, 1.5])
def test_agrees_with_a_dense_solve(name, dtype, ridge):
    g, b = system(dtype)
    expected = torch.linalg.solve(g + ridge * torch.eye(8), b)
    torch.testing.assert_close(SYSTEMS[name](g, b, ridge), expected, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("name", SYSTEMS)
def test_single_precision_stays_single(name):
    g, b = system(torch.complex128)
    x = SYSTEMS[name](g.to(torch.complex64), b.to(torch.complex64), 0.5)
    assert x.dtype == torch.complex64
    torch.testing.assert_close(x, torch.linalg.solve(g + 0.5 * torch.eye(8), b).to(x.dtype), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", EIGENVALUES)
@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128])
def test_agrees_with_a_dense_eigenvalue(name, dtype):
    g, start = system(dtype)
    result = EIGENVALUES[name](g, start)
    assert abs(float(result.eigenvalue) - largest(g)) < 1e-9 * largest(g)
    torch.testing.assert_close(g @ result.x, result.eigenvalue * result.x)


@pytest.mark.parametrize("name", SYSTEMS | EIGENVALUES)
def test_ends_when_its_time_is_up(name):
    g, b = system(torch.complex128)
    # A millionth of a second is less than any of these takes, and an hour is more.
    with pytest.raises(TimeoutError, match="not done within the limit of 1e-06 s"), deadline(1e-6):
        SYSTEMS[name](g, b, 1.5) if name in SYSTEMS else EIGENVALUES[name](g, b)
    with deadline(3600.0):
        SYSTEMS[name](g, b, 1.5) if name in SYSTEMS else EIGENVALUES[name](g, b)


@pytest.mark.parametrize("name", DENOISE)
def test_sparsity_in_an_orthogonal_basis_is_soft_thresholding(name):
    torch.manual_seed(0)
    b, f = torch.randn(32, dtype=torch.complex128), FourierOp((-1,))
    prior = L1(weight=0.8)
    torch.testing.assert_close(DENOISE[name](f, 1.0, prior, b).x, f.H(prior.prox(f(b), 1.0)))


@pytest.mark.parametrize("name", DENOISE)
def test_total_variation_moves_plateaus_towards_each_other(name):
    b = torch.cat([torch.full((4,), 1.0 + 1j), torch.full((8,), 3.0 + 1j)]).to(torch.complex128)
    # A plateau of n points with one neighbour moves by weight / n.
    expected = b + torch.cat([torch.full((4,), 0.5 / 4), torch.full((8,), -0.5 / 8)])
    result = DENOISE[name](FiniteDifferenceOp((-1,)), 2.0, L1(weight=0.5), b)
    torch.testing.assert_close(result.x, expected, rtol=1e-6, atol=1e-6)
