"""What becomes of noise: of methods whose gain is known."""

import pytest
import torch

from gadgets.mri.methods.modl import ModlNetwork
from gadgets.mri.networks.shrinkage import Shrinkage
from gadgets.mri.operators.encoding import encoding
from gadgets.mri.training.dataset import Generated, Simulated
from gadgets.mri.training.robustness import denoising, noise_gain
from gadgets.mri.training.simulation import Simulation
from gadgets.mri.training.supervised import Supervised

SCANS = Simulation(
    matrix=(24, 24), coils=(4, 4), acceleration=(3, 3), centre=(4, 4), noise=(0.01, 0.01), patterns=("uniform",)
)


@pytest.fixture
def example():
    return Simulated(Generated(4, 0, size=32), SCANS, batches=1, batch=2, seed=0)[0]


class Scaled(torch.nn.Module):
    """factor A^H y: linear, so that one number says what it does to white noise."""

    def __init__(self, factor):
        super().__init__()
        self.factor = torch.nn.Parameter(torch.tensor(factor))

    def forward(self, kspace, csm):
        return self.factor * encoding(kspace, csm).H(kspace.data)


def test_a_method_that_loses_noise_costs_nothing(example):
    network = Scaled(0.5)
    assert noise_gain(network, example, network(example.kspace, example.csm), 0) == 0


def test_is_the_excess_of_the_gain_and_does_not_depend_on_the_noise(example):
    """Linear methods have one gain; where it is known for white noise, so is the loss: the norm of A^H e by ||e||."""
    generator = torch.Generator().manual_seed(3)
    noise = torch.randn(example.kspace.data.shape, dtype=torch.complex64, generator=generator) * example.kspace.mask
    back = encoding(example.kspace, example.csm).H(noise)
    axes = (-4, -3, -2, -1)
    gain = (back.abs().square().sum(dim=axes) / noise.abs().square().sum(dim=axes)).sqrt()
    network = Scaled(20.0)
    found = [
        float(noise_gain(network, example, network(example.kspace, example.csm), seed).detach()) for seed in range(3)
    ]
    assert found == pytest.approx([float((20 * gain - 0.75).mean())] * 3, rel=0.1)


def test_what_lowers_it_loses_noise(example):
    """Its gradient points from a method that amplifies noise to one that does not; nothing pulls beyond that."""
    for factor, sign in ((20.0, 1), (0.1, 0)):
        network = Scaled(factor)
        noise_gain(network, example, network(example.kspace, example.csm), 0).backward()
        assert network.factor.grad.sign() == sign


def test_is_a_loss_of_recipes(example):
    module = Supervised(Scaled(20.0), losses={"noise_gain": 2.0}, rate=1, steps=1)
    image = module(example)
    torch.testing.assert_close(module.loss(image, example), 2 * noise_gain(module.network, example, image, 0))


class Denoiser(torch.nn.Module):
    """(x, level) to x, level; and no reconstruction."""

    def __init__(self, remove):
        super().__init__()
        self.denoiser = remove

    def forward(self, kspace, csm):
        raise AssertionError("no image is asked for")


def test_denoising_is_the_error_that_is_left(example):
    """What changes nothing leaves the noise that it is told: s sqrt(2 points); the truth leaves none."""
    truth, levels = example.image, []

    def nothing(x, level):
        levels.append(level)
        return x

    found = float(denoising(nothing, truth, 0))
    size = truth.abs().square().sum(dim=(-4, -3, -2, -1)).sqrt()
    points = truth[0].numel()
    expected = (levels[0].flatten() * (2 * points) ** 0.5 / size).log().mean()
    assert found == pytest.approx(float(expected), abs=0.05)
    assert denoising(lambda x, level: truth, truth, 0) < -10
    peak = truth.abs().amax(dim=(-4, -3, -2, -1), keepdim=True)
    assert ((levels[0] > 1e-3 * peak) & (levels[0] < 0.4 * peak)).all() and len(set(levels[0].flatten().tolist())) == 2


def test_denoising_alone_needs_no_reconstruction(example):
    module = Supervised(Denoiser(Shrinkage(patches=[4], width=2)), losses={"denoising": 1.0}, rate=1, steps=1)
    module.log = lambda *_, **__: None
    loss = module.training_step(example, 0)
    torch.testing.assert_close(loss, denoising(module.network.denoiser, example.image, 0))
    loss.backward()
    assert module.network.denoiser.sizes[0].thresholds.grad.abs().sum() > 0


def test_denoising_needs_one_network_that_is_told_the_noise():
    assert ModlNetwork(patches=[4], width=2).denoiser is not None
    for settings in ({"layers": 2}, {"patches": [4], "shared": False}):
        network = ModlNetwork(width=2, **settings)
        with pytest.raises(ValueError, match="denoising needs a network with a denoiser that is told the noise"):
            Supervised(network, losses={"denoising": 1.0}, rate=1, steps=1)
