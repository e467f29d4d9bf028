"""Kernels reproduce the lines that they were fitted to."""

import pytest
import torch

from gadgets.mri.calibration.grappa import grappa_fill, grappa_kernels
from gadgets.mri.calibration.sampling import lattice
from gadgets.mri.fft import ifft
from gadgets.mri.phantom.scan import cartesian
from tests.support.lattices import lattice_mask


def undersampled(shape, steps):
    mask = torch.zeros(shape, dtype=torch.bool)
    mask[:: steps[0], :: steps[1]] = True
    return mask


@pytest.mark.parametrize("step", [2, 3])
def test_reproduce_their_own_calibration_lines(step):
    block = torch.from_numpy(cartesian((64, 64, 1), coils=8))[:, :, 16:48]
    made = grappa_fill(
        block, grappa_kernels(block, (1, step), damping=1e-5), lattice(undersampled((1, 32, 64), (1, step)))
    )
    torch.testing.assert_close(made[:, :, ::step], block[:, :, ::step])
    # Of places whose sources all lie within the block: the others were not fitted to.
    inner = torch.zeros(32, dtype=torch.bool)
    inner[2 * step : -3 * step] = True
    inner[::step] = False
    error = (made - block)[:, :, inner, 2:-2]
    assert error.norm() < 0.005 * block[:, :, inner, 2:-2].norm()


def test_in_three_dimensions_neighbours_along_the_axis_that_is_not_accelerated_help():
    # The phantom's coils do not differ along z.
    block = torch.from_numpy(cartesian((24, 24, 24), coils=12))
    mask = undersampled((24, 24, 24), (1, 2))
    kernels = grappa_kernels(block, (1, 2), samples=3, damping=1e-5)
    assert kernels.shape == (1, 2, 12, 12, 3, 4, 3)
    made = torch.where(mask, block, grappa_fill(block, kernels, lattice(mask)))
    inner = (slice(None), slice(1, -1), slice(4, -6), slice(1, -1))
    assert (made - block)[inner].norm() < 0.005 * block[inner].norm()


@pytest.mark.parametrize(
    ("steps", "shift", "first"), [((2, 3), 0, (0, 0)), ((2, 2), 1, (1, 0)), ((3, 1), 1, (2, 0)), ((3, 2), -1, (0, 1))]
)
def test_signals_that_kernels_can_describe_are_made_exactly(steps, shift, first):
    torch.manual_seed(0)
    # Few plane waves: any sample is a combination of its neighbours.
    waves = torch.rand(4, 3, dtype=torch.float64) * 2 - 1
    places = torch.stack(torch.meshgrid(*(torch.arange(n, dtype=torch.float64) for n in (18, 21, 16)), indexing="ij"))
    amplitudes = torch.randn(5, 4, dtype=torch.complex128)
    data = torch.einsum("cw,wzyx->czyx", amplitudes, torch.exp(3j * torch.einsum("wa,azyx->wzyx", waves, places)))
    mask = lattice_mask((18, 21, 16), steps, shift, first)[0]
    made = grappa_fill(data, grappa_kernels(data, steps, shift=shift, damping=1e-12), lattice(mask))
    inner = (slice(None), slice(7, -9), slice(3, -6), slice(2, -2))
    torch.testing.assert_close(
        torch.where(mask, data, made)[inner], data[inner], rtol=1e-6, atol=1e-6 * float(data.abs().max())
    )


def test_too_few_lines_are_refused_with_how_many_are_needed():
    with pytest.raises(ValueError, match="has 8 points along k1, kernels of 1x4x5 points at an acceleration of 1x3 ne"):
        grappa_kernels(torch.ones(2, 1, 8, 16, dtype=torch.complex64), (1, 3))


def test_a_kernel_of_one_line_is_refused():
    with pytest.raises(ValueError, match="1 lines, 5 samples and 3 neighbours, expected at least 2 lines"):
        grappa_kernels(torch.ones(2, 1, 8, 16, dtype=torch.complex64), (1, 2), lines=1)


def noisy_block(snr):
    """24 calibration lines of the phantom; noise against the brightest point of the image."""
    data = torch.from_numpy(cartesian((64, 64, 1), coils=8))
    generator = torch.Generator().manual_seed(0)
    scale = float(ifft(data, (-3, -2, -1)).norm(dim=0).max())
    return (data + scale / snr * torch.randn(data.shape, dtype=data.dtype, generator=generator))[:, :, 20:44]


def test_the_more_noise_the_smaller_the_weights_for_a_larger_k_space():
    shares = []
    for snr in (3e4, 300, 30, 3):
        block = noisy_block(snr)
        alone, larger = (grappa_kernels(block, (1, 2), matrix=matrix)[0, 1] for matrix in (None, (1, 64, 64)))
        shares.append(float(larger.norm() / alone.norm()))
        # The block is all there is to make: the fit counts all of the noise.
        assert grappa_kernels(block, (1, 2), matrix=block.shape[1:])[0, 1].equal(alone)
    # Without noise of note the ridge stays that of `damping`.
    assert shares[0] > 0.99
    assert shares == sorted(shares, reverse=True) and shares[-1] < 0.7
