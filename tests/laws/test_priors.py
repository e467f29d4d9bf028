"""What is true of every prior."""

import inspect
from importlib import import_module
from pathlib import Path

import pytest
import torch

import gadgets.mri.priors
from gadgets.mri.operators.wavelet import WaveletOp
from gadgets.mri.priors.denoiser import Denoiser
from gadgets.mri.priors.joint_l1 import JointL1
from gadgets.mri.priors.l1 import L1
from gadgets.mri.priors.locally_low_rank import LocallyLowRank
from gadgets.mri.priors.low_rank import LowRank
from gadgets.mri.priors.quadratic import Quadratic
from gadgets.mri.priors.separate import Separate
from gadgets.mri.priors.total_variation import TotalVariation
from gadgets.mri.priors.transformed import Transformed
from gadgets.mri.priors.wavelet_l1 import WaveletL1

SHAPE = (2, 4, 1, 2, 5, 6)


def image():
    return torch.randn(SHAPE, dtype=torch.complex128)


def weights():
    """A weight for each of two series of images."""
    return torch.tensor([0.3, 0.9], dtype=torch.float64).reshape(2, 1, 1, 1, 1, 1)


def roughness(x):
    """R, for which x^T R x is the energy of the differences along the last axis."""
    differences = torch.diff(torch.eye(x.shape[-1], dtype=x.real.dtype), dim=0)
    return (differences.mT @ differences).to(x.dtype)


def smooth(x, deviation):
    """(1 + deviation^2 R)^-1 x, the linear denoiser of signals whose differences are small."""
    noise = roughness(x)
    return x @ torch.linalg.inv(torch.eye(len(noise), dtype=x.dtype) + deviation**2 * noise)


#: What a denoiser that is the prox of something minimises, which the prior itself does not know.
KNOWN_VALUES = {
    "Denoiser": lambda x: 0.4 / 2 * x.diff(dim=-1).abs().square().sum(),
}

EXAMPLES = {
    "Denoiser": lambda: Denoiser(denoise=smooth, weight=0.4),
    "L1": lambda: L1(weight=0.4),
    "L1 weighted": lambda: L1(weight=torch.rand(SHAPE, dtype=torch.float64)),
    "JointL1": lambda: JointL1(axes=(1,), weight=0.8),
    "JointL1 weighted": lambda: JointL1(axes=(1, -1), weight=weights()),
    "Quadratic": lambda: Quadratic(weight=0.4),
    "Quadratic centred": lambda: Quadratic(weight=weights(), centre=image()),
    "LowRank": lambda: LowRank(weight=3.0),
    "LowRank weighted": lambda: LowRank(weight=5 * weights()),
    "LocallyLowRank": lambda: LocallyLowRank(weight=1.0, patch=(1, 3, 2)),
    "LocallyLowRank weighted": lambda: LocallyLowRank(weight=weights(), patch=(2, 3, 4), shift=(1, 2, 1)),
    "Separate": lambda: Separate(priors=(LowRank(weight=3.0), L1(weight=0.4))),
    "TotalVariation": lambda: TotalVariation(weight=0.2, axes=(-3, -2, -1), iterations=500),
    "TotalVariation weighted": lambda: TotalVariation(weight=weights(), axes=(-1,), iterations=500),
    "Transformed": lambda: Transformed(operator=WaveletOp((-5,), levels=1, wavelet="haar"), prior=L1(weight=0.4)),
    "WaveletL1": lambda: WaveletL1(weight=0.7, levels=2),
    "WaveletL1 weighted": lambda: WaveletL1(weight=weights(), wavelet="haar", shift=(1, 0, 3)),
}


@pytest.fixture(params=EXAMPLES.values(), ids=EXAMPLES.keys())
def prior(request):
    torch.manual_seed(0)
    return request.param()


@pytest.fixture
def value(prior):
    """g, from the prior itself where it knows."""
    return KNOWN_VALUES.get(type(prior).__name__, prior.value)


def test_every_prior_on_disk_has_an_example():
    found = set()
    for file in Path(next(iter(gadgets.mri.priors.__path__))).glob("[!_]*.py"):
        module = import_module(f"gadgets.mri.priors.{file.stem}")
        for name, cls in inspect.getmembers(module, inspect.isclass):
            if cls.__module__ == module.__name__ and hasattr(cls, "prox") and not name.startswith("_"):
                found.add(name)
    assert found - {"Prior"} == {name.split()[0] for name in EXAMPLES}


@pytest.mark.parametrize("step", [0.1, 0.7, torch.tensor(2.0, dtype=torch.float64)])
def test_prox_is_the_minimiser(prior, value, step):
    x = image()
    z = prior.prox(x, step)

    def cost(at):
        return value(at) + (at - x).abs().square().sum() / (2 * step)

    least = cost(z)
    for d in [x, z, z - x] + [image() for _ in range(5)]:
        for size in (1e-3, -1e-3, 0.1, -0.1, 1e-3j, 0.1j):
            # Strong convexity: a step away from the minimiser costs at least its length squared.
            away = (abs(size) * torch.linalg.vector_norm(d)) ** 2 / (2 * step)
            assert cost(z + size * d) >= least + away * (1 - 1e-6) - 1e-9


def test_prox_is_firmly_nonexpansive(prior):
    for scale in (0.1, 1.0, 10.0):
        x, y = image(), scale * image()
        apart = prior.prox(x, 0.6) - prior.prox(y, 0.6)
        assert apart.abs().square().sum() <= torch.vdot(apart.flatten(), (x - y).flatten()).real + 1e-9


def test_a_step_of_nothing_changes_nothing(prior):
    x = image()
    torch.testing.assert_close(prior.prox(x, 0.0), x)


def test_single_precision_stays_single(prior):
    x = image()
    single = type(prior)(**{k: _single(v) for k, v in vars(prior).items()})
    for dtype in (torch.complex64, torch.float32):
        if torch.is_complex(torch.as_tensor(getattr(prior, "centre", 0.0))) and dtype == torch.float32:
            continue
        given = x.to(dtype) if dtype.is_complex else x.real.to(dtype)
        out = single.prox(given, 0.5)
        assert out.dtype == dtype and out.shape == given.shape
        if type(prior).__name__ not in KNOWN_VALUES:
            assert single.value(given).dtype == torch.float32
        if dtype.is_complex:
            torch.testing.assert_close(out, prior.prox(x, 0.5).to(dtype), rtol=1e-4, atol=1e-5)


def _single(value):
    if not isinstance(value, torch.Tensor):
        return value
    return value.to(torch.complex64 if value.is_complex() else torch.float32)


def test_nan_is_carried_on(prior):
    x = image()
    x[1, 2, 0, 1, 3, 4] = torch.nan
    out = prior.prox(x, 0.5)
    assert out[1, 2, 0, 1, 3, 4].isnan()
    assert not out[0].isnan().any()


def test_zero_is_no_special_case_and_the_input_is_kept(prior):
    x = image()
    assert prior.prox(torch.zeros_like(x), 1.0).isfinite().all()
    before = x.clone()
    prior.prox(x, 1.0)
    assert x.equal(before)
