"""Denoisers as priors."""

import pytest
import torch

from gadgets.mri.operators.identity import IdentityOp
from gadgets.mri.priors.denoiser import Denoiser
from gadgets.mri.solvers.admm import admm
from gadgets.mri.solvers.fista import fista


def shrink(x, deviation):
    """What is likeliest before noise of that deviation where signals are normal with deviation 1: x / (1 + noise)."""
    return x / (1 + deviation**2)


@pytest.mark.parametrize("weight", [0.5, torch.tensor([0.5, 2.0], dtype=torch.float64)[:, None]])
def test_plugged_into_solvers_it_is_the_prior_that_it_stands_for(weight):
    torch.manual_seed(0)
    a = torch.randn(12, 8, dtype=torch.complex128)
    gram, rhs = a.mH @ a, torch.randn(2, 8, dtype=torch.complex128)
    prior = Denoiser(denoise=shrink, weight=weight)
    ridge = torch.as_tensor(weight).expand(2, 1) if isinstance(weight, torch.Tensor) else torch.full((2, 1), weight)
    eye = torch.eye(8, dtype=gram.dtype)
    expected = torch.stack([torch.linalg.solve(gram + float(r) * eye, b) for r, b in zip(ridge, rhs, strict=True)])
    step = 1 / float(torch.linalg.eigvalsh(gram)[-1])
    start = torch.zeros_like(rhs)
    first = fista(lambda x: x @ gram.mT - rhs, prior, start, step=step, iterations=2000, batch_dims=(0,)).x
    shifted = torch.linalg.inv(gram + 2 * eye).mT
    second = admm(lambda v, x: (rhs + 2 * v) @ shifted, IdentityOp(), prior, start, penalty=2.0, iterations=2000).x
    torch.testing.assert_close(first, expected)
    torch.testing.assert_close(second, expected)


def test_it_is_told_the_noise():
    told = []

    def denoise(x, deviation):
        told.append(deviation)
        return x

    Denoiser(denoise=denoise, weight=0.5).prox(torch.zeros(3), 0.5)
    assert told == [0.5]


def test_what_it_does_not_know_is_said():
    with pytest.raises(NotImplementedError, match="a Denoiser has no value, only a prox"):
        Denoiser(denoise=shrink).value(torch.zeros(3))
    with pytest.raises(ValueError, match=r"made torch.float32 of shape \(2,\) of torch.float32 of shape \(3,\)"):
        Denoiser(denoise=lambda x, deviation: x[1:]).prox(torch.zeros(3), 1.0)
