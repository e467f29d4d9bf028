"""Shrinkage of patches: what it keeps, what it takes away, and how it turns and scales."""

import pytest
import torch

from gadgets.mri.networks.shrinkage import Shrinkage
from gadgets.mri.phantom.scan import truth


def image(*size, seed=0):
    return torch.randn(2, 1, 2, *size, dtype=torch.complex64, generator=torch.Generator().manual_seed(seed))


def level(value):
    return torch.full((2, 1, 1, 1, 1), value)


def learnt(**settings):
    torch.manual_seed(0)
    network = Shrinkage(width=4, **settings)
    for gates in network.sizes:
        torch.nn.init.normal_(gates.last.weight, std=0.3)
    return network


@pytest.mark.parametrize("size", [(16, 16), (17, 20), (5, 6), (33, 9)])
@pytest.mark.parametrize("patches", [[4], [8], [12, 4]])
def test_without_noise_it_is_the_identity(size, patches):
    x = image(*size)
    torch.testing.assert_close(Shrinkage(patches=patches)(x, level(1e-6)), x, rtol=0, atol=1e-4)


def test_turns_and_scales_with_the_image():
    x, network = image(24, 20), learnt()
    made = network(x, level(0.4))
    assert (made - x).norm() > 0.1 * x.norm()
    turned = torch.exp(torch.tensor(1.3j))
    torch.testing.assert_close(network(turned * x, level(0.4)), turned * made)
    torch.testing.assert_close(network(50 * x, level(20.0)), 50 * made, rtol=1e-4, atol=1e-4)


def test_takes_more_of_what_is_out_of_phase():
    """A smooth phase says which half of the noise is none of the image: that half goes, with any such phase."""
    clean = torch.from_numpy(truth((64, 48, 1)))[None, None].to(torch.complex64).abs()
    noise = 0.1 * torch.randn(clean.shape, dtype=torch.complex64, generator=torch.Generator().manual_seed(2))
    phase = torch.exp(1j * torch.linspace(0, 2, clean.shape[-1]))
    made = Shrinkage()((clean + noise) * phase, torch.full((1, 1, 1, 1, 1), 0.1 / 2**0.5)).detach() / phase
    left = made - clean
    assert left.imag.norm() < left.real.norm() < noise.real.norm()
    assert left.imag.norm() < 0.5 * noise.imag.norm()


def test_planes_and_volumes_are_each_for_themselves():
    x, network = image(16, 16), learnt()
    levels = torch.tensor([0.2, 0.7])[:, None, None, None, None]
    both = network(x, levels)
    for volume in (0, 1):
        for plane in (0, 1):
            one = network(x[volume : volume + 1, :, plane : plane + 1], levels[volume : volume + 1])
            torch.testing.assert_close(both[volume : volume + 1, :, plane : plane + 1], one)


def test_sparser_patches_weigh_more_and_leave_less_noise_at_edges():
    """Patches across an oblique edge keep more of the noise than those beside it, of which each point is in some."""
    place = (torch.arange(64) - 31.5).abs()
    clean = (place[:, None] + place < 22).to(torch.complex64)[None, None, None]
    noise = 0.1 * torch.randn(clean.shape, dtype=clean.dtype, generator=torch.Generator().manual_seed(1))
    level = torch.full((1, 1, 1, 1, 1), 0.1 / 2**0.5)
    errors = []
    for sparser in (0.0, 1.0):
        network = Shrinkage(patches=[8])
        torch.nn.init.constant_(network.sizes[0].sparser, sparser)
        errors.append(float((network(clean + noise, level) - clean).norm().detach()))
    # Other noise moves their ratio by a hundredth.
    assert errors[1] < 0.95 * errors[0] < float(noise.norm())


def test_it_denoises_before_it_has_learnt():
    """Wavelets (soft, the best of four thresholds) beside it: patches that overlap and are gated harder do better."""
    from gadgets.mri.priors.wavelet_l1 import Moves, WaveletL1

    clean = torch.from_numpy(truth((96, 96, 1)))[None, None].to(torch.complex64)
    noise = 0.05 * 2**0.5 * torch.randn(clean.shape, dtype=clean.dtype, generator=torch.Generator().manual_seed(1))
    noisy = clean + noise

    def error(x):
        return float((x - clean).norm().detach() / noise.norm())

    moves = Moves(3, torch.Generator().manual_seed(0))
    wavelets = [WaveletL1(weight=0.05 * t, moves=moves).mean_prox(noisy, 1.0) for t in (0.5, 1.0, 1.5, 2.0)]
    assert error(Shrinkage()(noisy, torch.full((1, 1, 1, 1, 1), 0.05))) < min(error(x) for x in wavelets) < 1


def test_refusals():
    for settings in ({"patches": [4, 6]}, {"patches": [0]}, {"patches": []}, {"width": 0}):
        with pytest.raises(ValueError, match="expected some of 4, 8, ... and at least 1"):
            Shrinkage(**settings)
    with pytest.raises(ValueError, match="threshold 0"):
        Shrinkage(threshold=0)
