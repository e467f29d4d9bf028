"""The Fourier transform between an image and samples off the grid."""

import subprocess
import sys

import pytest
import torch

from gadgets.mri.operators.fourier import FourierOp
from gadgets.mri.operators.non_uniform_fourier import NonUniformFourierOp
from gadgets.mri.solvers.power_iteration import power_iteration

MATRICES = [(1, 7, 8), (1, 6, 5), (4, 5, 6), (3, 1, 4), (1, 1, 5), (1, 1, 1)]
# What the library promises, and the transforms' sums of rounding errors on top.
EXACT = {torch.complex64: 2e-5, torch.complex128: 1e-11}


def cartesian(matrix):
    lines = [torch.arange(length, dtype=torch.float64) - length // 2 for length in matrix]
    return torch.stack(torch.meshgrid(*lines, indexing="ij"))


def anywhere(*shape, matrix):
    """A random trajectory, 0 along axes of one point."""
    reach = torch.tensor([length if length > 1 else 0 for length in matrix])[:, None, None, None]
    return (torch.rand(*shape, dtype=torch.float64) - 0.5) * reach


def difference(found, expected):
    return float((found - expected).norm() / expected.norm())


@pytest.mark.parametrize("dtype", EXACT)
@pytest.mark.parametrize("matrix", MATRICES)
def test_on_a_cartesian_trajectory_it_is_the_fourier_transform(matrix, dtype):
    operator = NonUniformFourierOp(cartesian(matrix).to(dtype.to_real()), matrix)
    x = torch.randn(2, 3, *matrix, dtype=dtype)
    for found, expected in ((operator(x), FourierOp()(x)), (operator.H(x), FourierOp().H(x)), (operator.gram(x), x)):
        assert found.dtype == dtype
        assert difference(found, expected) < EXACT[dtype]


@pytest.mark.parametrize("dtype", EXACT)
def test_is_the_sum_that_it_stands_for(dtype):
    matrix = (3, 6, 5)
    trajectory = anywhere(3, 2, 4, 7, matrix=matrix)
    x = torch.randn(2, *matrix, dtype=torch.complex128)
    turns = torch.einsum("dabc,dzyx->abczyx", trajectory / torch.tensor(matrix)[:, None, None, None], cartesian(matrix))
    expected = torch.einsum("abczyx,nzyx->nabc", torch.exp(-2j * torch.pi * turns), x) / 90**0.5
    found = NonUniformFourierOp(trajectory.to(dtype.to_real()), matrix)(x.to(dtype))
    assert difference(found, expected) < EXACT[dtype]


def test_volumes_with_their_own_trajectories_and_with_one():
    matrix = (1, 8, 9)
    own = anywhere(2, 1, 3, 1, 4, 7, matrix=matrix)
    x = torch.randn(2, 5, 3, *matrix, dtype=torch.complex128)
    operator = NonUniformFourierOp(own, matrix)
    y = operator(x)
    assert y.shape == (2, 5, 3, 1, 4, 7)
    for volume in range(2):
        alone = NonUniformFourierOp(own[volume, 0], matrix)
        torch.testing.assert_close(alone(x[volume]), y[volume])
        torch.testing.assert_close(alone.H(y[volume]), operator.H(y)[volume])
        torch.testing.assert_close(alone.gram(x[volume]), operator.gram(x)[volume])
    # One plan each: what shares a trajectory went through it at once.
    assert len(operator._plans) == 2


def test_plans_are_made_once():
    operator = NonUniformFourierOp(anywhere(3, 1, 4, 7, matrix=(1, 8, 9)), (1, 8, 9))
    x = torch.randn(3, 1, 8, 9, dtype=torch.complex128)
    for _ in range(3):
        operator.H(operator(x))
    assert len(operator._plans) == 1


def test_the_bound_of_the_convolution_holds_and_is_near():
    matrix = (1, 24, 24)
    angle = torch.arange(20) / 20 * torch.pi
    radius = torch.arange(48) / 2 - 12
    spokes = torch.stack([0 * angle, angle.sin(), angle.cos()])[:, None, :, None] * radius
    gram = NonUniformFourierOp(spokes.double(), matrix).gram
    largest = power_iteration(gram, torch.randn(1, *matrix, dtype=torch.complex128), iterations=200).eigenvalue
    # Its circular convolution is on twice the field of view, of four times the points.
    assert largest <= gram.bound <= 4 * largest


def test_gradients_of_gradients():
    operator = NonUniformFourierOp(anywhere(3, 1, 3, 4, matrix=(1, 4, 5)), (1, 4, 5))
    x = torch.randn(1, 1, 4, 5, dtype=torch.complex128, requires_grad=True)
    # Threads add to the grid in any order: to rounding, no two transforms are the same.
    assert torch.autograd.gradgradcheck(lambda z: operator(z).abs().square().sum(), x, nondet_tol=1e-10)


@pytest.mark.parametrize(
    ("trajectory", "words"),
    [
        (torch.zeros(2, 1, 3, 4), r"torch.float32 of shape \(2, 1, 3, 4\), expected real \(\*other, 3, k2, k1, k0\)"),
        (torch.zeros(3, 1, 3, 4, dtype=torch.complex64), "complex64"),
        (torch.full((3, 1, 3, 4), torch.nan), "NaN or infinite"),
        (torch.ones(3, 1, 3, 4), "one point along z, but the trajectory reaches 1 cycles .* along kz"),
    ],
)
def test_what_is_no_trajectory_is_refused(trajectory, words):
    with pytest.raises(ValueError, match=words):
        NonUniformFourierOp(trajectory, (1, 8, 8))


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=r"matrix is \(8, 8\)"):
        NonUniformFourierOp(torch.zeros(3, 1, 3, 4), (8, 8))
    operator = NonUniformFourierOp(torch.zeros(3, 1, 3, 4), (1, 8, 8))
    with pytest.raises(ValueError, match=r"image has shape \(2, 1, 8, 7\), expected \(\*other, coil, 1, 8, 8\)"):
        operator(torch.zeros(2, 1, 8, 7, dtype=torch.complex64))
    with pytest.raises(ValueError, match=r"samples have shape \(2, 1, 8, 8\), expected \(\*other, coil, 1, 3, 4\)"):
        operator.H(torch.zeros(2, 1, 8, 8, dtype=torch.complex64))


def test_the_library_is_imported_when_it_is_needed():
    code = "import sys, gadgets.mri.operators.encoding; sys.exit('finufft' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.gpu
def test_on_a_gpu_it_is_the_same():
    pytest.importorskip("cufinufft")
    matrix = (1, 24, 25)
    trajectory = anywhere(2, 3, 1, 40, 30, matrix=matrix)
    x = torch.randn(2, 4, *matrix, dtype=torch.complex128)
    here, there = NonUniformFourierOp(trajectory, matrix), NonUniformFourierOp(trajectory.cuda(), matrix)
    y = here(x)
    torch.testing.assert_close(there(x.cuda()).cpu(), y)
    torch.testing.assert_close(there.H(y.cuda()).cpu(), here.H(y))
    torch.testing.assert_close(there.gram(x.cuda()).cpu(), here.gram(x))
