"""What is true of networks for images."""

import pytest
import torch

from gadgets.mri.networks.input_convex import InputConvex
from gadgets.mri.networks.planes import from_planes, to_planes
from gadgets.mri.networks.residual_cnn import ResidualCnn
from gadgets.mri.networks.unet import Unet

NETWORKS = {"residual_cnn": lambda: ResidualCnn(width=6, layers=3), "unet": lambda: Unet(width=4, levels=2)}


def image(*shape):
    return torch.randn(shape, dtype=torch.complex64)


@pytest.fixture(params=NETWORKS.values(), ids=NETWORKS.keys())
def network(request):
    """A network as it is after some training: its last layer no longer zero."""
    torch.manual_seed(0)
    made = request.param()
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return made


def test_planes_and_back():
    x = image(2, 3, 4, 5, 6, 7)
    assert to_planes(x).shape == (2 * 3 * 5, 8, 6, 7)
    assert from_planes(to_planes(x), x).equal(x)


@pytest.mark.parametrize("make", NETWORKS.values(), ids=NETWORKS.keys())
def test_untrained_is_the_identity(make):
    x = image(2, 1, 1, 9, 14)
    torch.testing.assert_close(make()(x), x)


@pytest.mark.parametrize("matrix", [(1, 16, 16), (3, 13, 18), (1, 5, 3), (1, 1, 1)])
def test_takes_any_size(network, matrix):
    x = image(2, 1, *matrix)
    out = network(x)
    assert out.shape == x.shape and out.dtype == torch.complex64 and out.isfinite().all()
    assert not out.equal(x)


def test_planes_and_volumes_do_not_mix(network):
    x = image(2, 2, 1, 3, 12, 12)
    torch.testing.assert_close(network(x)[1, 0, :, 2:], network(x[1, 0, :, 2:]), rtol=1e-4, atol=1e-5)


def test_is_homogeneous(network):
    x = image(1, 1, 12, 12)
    torch.testing.assert_close(network(1e3 * x) / 1e3, network(x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("trained", [False, True])
def test_input_convex_is_convex(trained):
    torch.manual_seed(0)
    psi = InputConvex(width=8)
    if trained:
        for parameter in psi.parameters():
            torch.nn.init.normal_(parameter, std=1.0)
    x, y = 3 * image(500, 1, 1, 8, 8), 3 * image(500, 1, 1, 8, 8)
    with torch.no_grad():
        chord = (psi(x) + psi(y)) / 2
        violation = psi((x + y) / 2) - chord
    assert psi(x).shape == (500, 1, 1, 1, 1)
    assert (violation / chord.abs()).max() <= 1e-6


def test_input_convex_with_a_square_is_strongly_convex():
    torch.manual_seed(0)
    psi = InputConvex(width=4, strong=0.5)
    x, y = image(50, 1, 1, 8, 8), image(50, 1, 1, 8, 8)
    gap = (psi(x) + psi(y)) / 2 - psi((x + y) / 2)
    least = 0.5 / 8 * (x - y).abs().square().mean(dim=(-4, -3, -2, -1), keepdim=True)
    assert (gap >= least - 1e-6).all()


def test_refuses_no_layers():
    with pytest.raises(ValueError, match="0 layers"):
        InputConvex(layers=0)
    with pytest.raises(ValueError, match="0 levels"):
        Unet(levels=0)
    with pytest.raises(ValueError, match="1 layers"):
        ResidualCnn(layers=1)
