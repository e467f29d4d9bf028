"""A convex penalty has one minimum, whatever its weights are; what holds after a training stands in docs/claims.md."""

from dataclasses import replace

import pytest
import torch

from gadgets.mri.kspace import KSpace
from gadgets.mri.methods.iterative_regularization import IterativeRegularization, IterativeRegularizationNetwork
from gadgets.mri.training.dataset import Generated, Simulated
from gadgets.mri.training.simulation import Simulation

SCANS = Simulation(
    matrix=(12, 12),
    coils=(6, 6),
    acceleration=(2, 2),
    centre=(4, 4),
    noise=(0.01, 0.01),
    patterns=("uniform",),
    estimated=0,
)


@pytest.fixture
def scan():
    """K-space and maps, in double precision: near a minimum, values in single precision are flat."""
    example = Simulated(Generated(4, 0, size=32), SCANS, batches=1, batch=1, seed=0)[0]
    kspace = KSpace(data=example.kspace.data.to(torch.complex128), mask=example.kspace.mask)
    return kspace, example.csm.to(torch.complex128)


@pytest.fixture(params=["new", "far"])
def network(request):
    """As it begins, and as far from that as training may take it."""
    torch.manual_seed(0)
    made = IterativeRegularizationNetwork(width=4, layers=2).double()
    torch.nn.init.zeros_(made.weight)
    if request.param == "far":
        for parameter in made.psi.parameters():
            torch.nn.init.normal_(parameter, std=0.5)
    return made


def test_the_objective_never_rises(network, scan):
    values = network.minimum(*scan, iterations=60, watched=True).objective
    assert (values.diff() <= 1e-12 * values.abs().max()).all()
    assert values[-1] < values[0]


def test_all_starts_lead_to_the_same_image(network, scan):
    with torch.no_grad():
        one = network.minimum(*scan, iterations=100).x
        zeros, noise = torch.zeros_like(one), torch.randn_like(one)
        for start in (zeros, noise):
            other = network.minimum(*scan, iterations=100, start=start).x
            assert (one - other).norm() <= 1e-2 * one.norm()


def test_the_image_follows_small_changes_of_the_data(network, scan):
    """A strongly convex objective: the smaller the noise, the smaller what it does."""
    kspace, csm = scan
    noise = torch.randn_like(kspace.data) * kspace.mask * kspace.data.abs().max()
    with torch.no_grad():
        still = network.minimum(kspace, csm, iterations=100).x
        moved = []
        for size in (1e-2, 1e-3, 1e-4):
            noisy = replace(kspace, data=kspace.data + size * noise)
            moved.append(float((network.minimum(noisy, csm, iterations=100).x - still).norm()))
    assert moved[0] > moved[1] > moved[2]
    assert moved[2] < 0.05 * float(still.norm())


def test_refuses_a_negative_factor():
    with pytest.raises(ValueError, match="factor is -1"):
        IterativeRegularization(model="any", factor=-1)
