"""A learned regulariser whose minimum is what is trained, and what is reconstructed.

What holds after a training stands in docs/claims.md.
"""

import pytest
import torch

from gadgets.mri.calibration.intensity import intensity
from gadgets.mri.methods.equilibrated_zeroth_order import EquilibratedZerothOrderNetwork
from gadgets.mri.networks.functional import slope
from gadgets.mri.operators.encoding import encoding
from gadgets.mri.training.dataset import Generated, Simulated
from gadgets.mri.training.simulation import Simulation

SCANS = Simulation(
    matrix=(16, 16),
    coils=(6, 6),
    acceleration=(2, 2),
    centre=(4, 4),
    noise=(0.01, 0.01),
    patterns=("uniform",),
    estimated=0,
)


@pytest.fixture
def example():
    return Simulated(Generated(4, 0, size=32), SCANS, batches=1, batch=1, seed=0)[0]


@pytest.fixture
def network():
    torch.manual_seed(0)
    return EquilibratedZerothOrderNetwork(width=4)


def test_descent_comes_to_rest_at_a_minimum_of_the_functional(network, example):
    with torch.no_grad():
        changes = [
            float(network.minimum(example.kspace, example.csm, iterations=k, tolerance=0).change.max())
            for k in (200, 500)
        ]
        assert changes[0] < 1e-4 and changes[1] < 1e-5
        operator = encoding(example.kspace, example.csm)
        rhs = operator.H(example.kspace.data)
        unit = intensity(rhs)
        x = network(example.kspace, example.csm, iterations=500, tolerance=0) / unit
        weight = torch.nn.functional.softplus(network.weight)

        def value(x):
            difference = (operator(x) - example.kspace.data / unit).abs().square().sum(dim=(-4, -3, -2, -1)) / 2
            return difference + weight * slope(network.functional, x)[0].flatten()

        for size in (1e-2, 1e-1):
            away = x + size * torch.randn_like(x)
            assert (value(away) > value(x)).all()


def test_gradient_is_that_of_300_steps(network, example):
    """By the implicit function theorem at the memory of one step, and by going back through all steps."""
    parameters = list(network.parameters())

    def gradient(image):
        found = torch.autograd.grad((image - example.image).abs().square().sum(), parameters)
        return torch.cat([part.flatten() for part in found])

    implicit = gradient(network(example.kspace, example.csm, iterations=300, tolerance=0))
    operator = encoding(example.kspace, example.csm)
    rhs = operator.H(example.kspace.data)
    unit = intensity(rhs)
    x = rhs = rhs / unit
    for _ in range(300):
        prior = torch.nn.functional.softplus(network.weight) * slope(network.functional, x)[1]
        x = x - network.step * (operator.gram(x) - rhs + prior)
    explicit = gradient(x * unit)
    assert torch.nn.functional.cosine_similarity(implicit, explicit, dim=0) >= 0.99
    torch.testing.assert_close(implicit.norm(), explicit.norm(), rtol=0.05, atol=0)


def test_refuses_steps_that_are_too_long():
    with pytest.raises(ValueError, match="step is 2"):
        EquilibratedZerothOrderNetwork(step=2)
