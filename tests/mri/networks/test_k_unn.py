"""Two estimates of the same coil images, the second of which sees k-space mirrored."""

import pytest
import torch

from gadgets.mri.fft import fft, ifft
from gadgets.mri.networks.k_unn import KUnnNetwork


@pytest.mark.parametrize("matrix", [(16, 16), (15, 16), (16, 15)])
def test_the_conjugate_of_an_image_has_the_mirrored_k_space(matrix):
    torch.manual_seed(0)
    network = KUnnNetwork(torch.ones(1), matrix, width=4, layers=2, kernel=2)
    with torch.no_grad():
        for decoder in (network.coils.decoder, network.phase.decoder):
            for parameter in decoder.last.parameters():
                parameter.zero_()
        # Sensitivities and phase are 1 now.
        direct, mirrored = fft(network()[:, 0], (-2, -1))
    # Point -k of point k; the first point of an even axis is its own mirror image.
    at = [(2 * (n // 2) - torch.arange(n)) % n for n in matrix]
    torch.testing.assert_close(mirrored, direct[at[0]][:, at[1]].conj(), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("matrix", [(16, 16), (15, 16)])
def test_both_estimates_are_the_same_for_a_real_object(matrix):
    torch.manual_seed(0)
    network = KUnnNetwork(torch.ones(3), matrix, width=4, layers=2)
    with torch.no_grad():
        for parameter in network.phase.decoder.last.parameters():
            parameter.zero_()
        real, imaginary = network.content().chunk(2)
        k = torch.complex(real, imaginary)[0]
        at = [(2 * (n // 2) - torch.arange(n)) % n for n in matrix]
        k = (k + k[at[0]][:, at[1]].conj()) / 2
        network.content.forward = lambda: torch.stack([k.real, k.imag])
        direct, mirrored = network()
    torch.testing.assert_close(direct, mirrored, rtol=1e-4, atol=1e-4)


def test_the_weight_of_k_space_is_the_same_at_mirrored_points():
    weight = KUnnNetwork(torch.ones(1), (16, 15), width=4, layers=2).weight
    at = [(2 * (n // 2) - torch.arange(n)) % n for n in weight.shape]
    torch.testing.assert_close(weight, weight[at[0]][:, at[1]])
    assert float(weight.min()) == float(weight[8, 7]) > 0


def test_what_it_makes_at_first_is_small():
    """Beside samples of unit intensity: from as much, a fit stands still for a hundred iterations."""
    torch.manual_seed(0)
    network = KUnnNetwork(torch.full((4,), 0.5), (32, 32))
    assert float((network.weight * fft(network().detach(), (-2, -1))).abs().square().mean().sqrt()) < 0.1


def test_at_first_coils_see_the_image_as_they_are_told():
    torch.manual_seed(0)
    first = torch.tensor([0.9, 0.4, 0.1])
    network = KUnnNetwork(first, (16, 16), width=4, layers=2, phase=False)
    with torch.no_grad():
        real, imaginary = network.content().chunk(2)
        x = ifft(torch.complex(real, imaginary) / network.weight, (-2, -1))
        expected = first[:, None, None] * x
        assert (network()[0] - expected).norm() < 0.5 * expected.norm()
