"""Conjugate gradients beyond what every solver must do."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from gadgets.mri.solvers.cg import cg


def systems(batch=3, n=6):
    torch.manual_seed(0)
    a = torch.randn(batch, n, n, dtype=torch.complex128) * torch.tensor([1.0, 10.0, 0.1])[:, None, None]
    return a.mH @ a + 0.1 * torch.eye(n), torch.randn(batch, n, dtype=torch.complex128)


def apply(g):
    return lambda x: (g @ x.unsqueeze(-1)).squeeze(-1)


@pytest.mark.parametrize("tolerance", [0.0, 1e-2])
def test_a_batch_is_solved_as_its_members_are(tolerance):
    g, b = systems()
    together = cg(apply(g), b, iterations=5, tolerance=tolerance, batch_dims=(0,))
    for index in range(3):
        alone = cg(apply(g[index]), b[index], iterations=5, tolerance=tolerance)
        torch.testing.assert_close(together.x[index], alone.x)
        torch.testing.assert_close(together.residual[index], alone.residual)


def test_stops_at_the_tolerance_and_says_so():
    g, b = systems()
    result = cg(apply(g), b, iterations=100, tolerance=1e-3, batch_dims=(0,))
    assert 0 < result.iterations < 30
    assert (result.residual <= 1e-3).all()
    true = torch.linalg.vector_norm(b - apply(g)(result.x), dim=1) / torch.linalg.vector_norm(b, dim=1)
    torch.testing.assert_close(result.residual.squeeze(1), true)


def test_the_objective_falls_in_every_iteration():
    g, b = systems(1)

    def energy(x):
        return ((x.conj() * apply(g)(x)).real / 2 - (b.conj() * x).real).sum()

    result = cg(apply(g), b, iterations=6, batch_dims=(0,), objective=energy)
    assert result.objective.shape == (6,) and (result.objective.diff() < 0).all()
    torch.testing.assert_close(result.objective[-1], energy(result.x))
    assert cg(apply(g), b, iterations=0, objective=energy).objective.shape == (0,)
    assert cg(apply(g), b, iterations=1).objective is None


def test_starts_where_it_is_told():
    g, b = systems()
    x = torch.linalg.solve(g, b)
    torch.testing.assert_close(cg(apply(g), b, iterations=0, start=x, batch_dims=(0,)).x, x)
    torch.testing.assert_close(cg(apply(g), b, iterations=8, start=x + 1, batch_dims=(0,)).x, x)


def test_zero_and_many_iterations_do_no_harm():
    g, b = systems()
    b[1] = 0
    result = cg(apply(g), b, iterations=200, batch_dims=(0,))
    assert not result.x[1].any()
    torch.testing.assert_close(result.x, torch.linalg.solve(g, b))
    with pytest.raises(ValueError, match="iterations is -1"):
        cg(apply(g), b, iterations=-1)


def test_gradients_pass_through():
    g, b = systems()
    b.requires_grad_()
    x = cg(apply(g), b, iterations=8, batch_dims=(0,)).x
    x.abs().square().sum().backward()
    exact = torch.linalg.solve(g.mH, 2 * x.detach())
    torch.testing.assert_close(b.grad, exact, rtol=1e-4, atol=1e-4 * float(exact.abs().max()))


class ReadsBack(TorchDispatchMode):
    """Counts how often a number is read from a tensor: on a GPU, each of them waits for all that was asked for."""

    count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.count += func is torch.ops.aten._local_scalar_dense.default
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize(("tolerance", "expected"), [(0.0, 0), (1e-9, 4)])
def test_nothing_is_read_back_but_for_a_tolerance(tolerance, expected):
    g, b = systems()
    with ReadsBack() as reads:
        cg(apply(g), b, iterations=4, tolerance=tolerance, batch_dims=(0,))
    assert reads.count == expected


@pytest.mark.parametrize("dtype", [torch.complex64, torch.complex128])
def test_a_projection_is_solved_and_stays_so(dtype):
    """As sampled Fourier data of one coil: after the first step, all that is left is rounding outside its range."""
    torch.manual_seed(0)
    mask = torch.rand(64) < 0.4

    def project(x):
        return torch.fft.ifft(mask * torch.fft.fft(x, norm="ortho"), norm="ortho")

    rhs = project(torch.randn(64, dtype=dtype))
    for iterations in (1, 5, 40):
        torch.testing.assert_close(cg(project, rhs, iterations=iterations).x, rhs, rtol=1e-5, atol=1e-5)
