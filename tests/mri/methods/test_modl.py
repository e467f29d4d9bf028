"""What the network of MoDL does before it has learnt, and whatever it has learnt."""

from dataclasses import replace

import pytest
import torch

from gadgets.mri.kspace import KSpace
from gadgets.mri.methods.cg_sense import CgSense
from gadgets.mri.methods.espirit_l1 import EspiritL1
from gadgets.mri.methods.modl import Modl, ModlNetwork
from gadgets.mri.phantom.scan import cartesian, coil_maps


@pytest.fixture
def scan():
    """Every third line of a phantom, with noise; its maps."""
    torch.manual_seed(0)
    data = torch.from_numpy(cartesian((48, 40, 1), coils=6))
    mask = torch.zeros(1, 1, *data.shape[-2:], dtype=torch.bool)
    mask[..., ::3, :] = True
    noisy = (data + 0.05 * torch.randn_like(data)) * mask
    return KSpace(data=noisy, mask=mask), torch.from_numpy(coil_maps((48, 40, 1), coils=6))


def learnt(**settings):
    """A network that changes images."""
    torch.manual_seed(0)
    network = ModlNetwork(width=4, **settings)
    for name, weight in network.named_parameters():
        if name.endswith("last.weight"):
            torch.nn.init.normal_(weight, std=0.3)
    return network


@pytest.mark.parametrize("start", ["adjoint", "sparse"])
@pytest.mark.parametrize("kind", [{"levels": 2}, {"patches": [4, 8]}])
def test_scales_with_its_input(scan, start, kind):
    kspace, csm = scan
    network = learnt(start=start, **kind)
    with torch.no_grad():
        image, larger = network(kspace, csm), network(replace(kspace, data=1000 * kspace.data), csm)
    torch.testing.assert_close(larger, 1000 * image, rtol=1e-3, atol=1e-2 * float(image.abs().max()))


def test_from_the_sparse_image_it_stays_between_that_and_least_squares(scan):
    """Where networks change nothing yet, iterations pull the start towards the data, the more the less w is."""
    kspace, csm = scan
    sparse, least = EspiritL1(iterations=30)(kspace, csm), CgSense(iterations=60)(kspace, csm)
    apart = []
    for weight in (1000.0, 1.0, 0.001):
        network = ModlNetwork(levels=2, start="sparse", start_iterations=30, weight=weight, cg_iterations=60)
        with torch.no_grad():
            image = network(kspace, csm)
        apart.append(float((image - sparse).norm() / (least - sparse).norm()))
    # Two iterations that are stopped do not end at quite the same image.
    assert apart[0] < 0.01 < apart[1] < 0.9 < apart[2] < 1.1


def test_less_noise_is_changed_less(scan):
    """Shrinkage is told the noise: without any, an image stays what it is."""
    kspace, csm = scan
    clean = torch.from_numpy(cartesian((48, 40, 1), coils=6)) * kspace.mask
    changes = []
    for data in (clean + 0.1 * (kspace.data - clean), kspace.data):
        one = KSpace(data=data, mask=kspace.mask)
        with torch.no_grad():
            plain = ModlNetwork(levels=2, start="sparse")(one, csm)
            changes.append(float((learnt(patches=[8], start="sparse")(one, csm) - plain).norm()))
    assert 0 < changes[0] < changes[1] / 2


def test_weights_rise_in_equal_ratios_from_the_first_to_the_last():
    weights = torch.nn.functional.softplus(ModlNetwork(iterations=3, first_weight=0.01, weight=1.0, width=2).weights)
    torch.testing.assert_close(weights, torch.tensor([0.01, 0.1, 1.0]))
    assert len(ModlNetwork(iterations=3, width=2).weights) == 1


def test_the_network_is_told_less_noise_where_the_image_weighs_more(scan):
    """Twice the weight of the image: half of the variance."""
    levels = {}
    for weight in (0.5, 1.0):
        network = ModlNetwork(patches=[4], width=2, iterations=1, weight=weight)
        network.networks[0].register_forward_hook(
            lambda _, args, kwargs, made, weight=weight: levels.update({weight: kwargs["level"]}), with_kwargs=True
        )
        with torch.no_grad():
            network(*scan)
    torch.testing.assert_close(levels[0.5], 2**0.5 * levels[1.0])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"start": "zero"}, "there are: adjoint, sparse"),
        ({"start": "sparse", "start_iterations": 0}, "start_iterations is 0"),
        ({"levels": 2, "patches": [8]}, "levels is 2 and patches"),
        ({"weight": 0.0}, "weight is 0.0"),
        ({"first_weight": -0.1}, "first_weight is -0.1, expected more than 0, or 0 for 0.05 in all iterations"),
        ({"iterations": 0}, "iterations is 0"),
    ],
)
def test_refusals(settings, message):
    with pytest.raises(ValueError, match=message):
        ModlNetwork(**settings)


def test_a_start_of_fewer_than_no_iterations_is_refused():
    with pytest.raises(ValueError, match="start_iterations is -1, expected 0 or more"):
        Modl(start_iterations=-1)
