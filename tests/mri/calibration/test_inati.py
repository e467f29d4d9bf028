"""Inati's coil maps."""

import math

import pytest
import torch

from gadgets.mri.calibration.inati import inati
from gadgets.mri.calibration.walsh import walsh


def birdcage(ny, nx):
    """Two modes of a birdcage coil, (coil, 1, y, x): the stronger one is 0 in the middle, where its phase turns."""
    y, x = torch.meshgrid(torch.arange(ny) - ny // 2, torch.arange(nx) - nx // 2, indexing="ij")
    swirl = torch.complex(x / nx, y / ny) * 6
    maps = torch.stack([torch.ones_like(swirl), swirl])[:, None]
    return maps / maps.norm(dim=0)


def steepest(csm):
    """The largest change of any map between neighbours."""
    return max(float(csm.diff(dim=axis).abs().max()) for axis in (-2, -1))


def smooth(*matrix):
    """An image without phase, that changes by a third over the field of view."""
    return 1 + torch.linspace(0, 0.3, math.prod(matrix)).reshape(matrix)


@pytest.mark.parametrize("matrix", [(1, 40, 41), (6, 20, 21)])
def test_finds_smooth_maps_with_their_phase(matrix):
    truth = birdcage(*matrix[1:]).expand(2, *matrix)
    csm = inati(truth * smooth(*matrix), kernel=3, iterations=10)
    assert csm.shape == truth.shape
    torch.testing.assert_close(csm.norm(dim=0), torch.ones(matrix))
    # Between neighbours, maps change by up to `steepest`; a box of three can be off by as much at its edges.
    assert (csm - truth).abs().max() < steepest(truth)


def test_phase_is_smooth_where_that_of_a_virtual_coil_is_singular():
    truth = birdcage(40, 41)
    images = truth * smooth(1, 40, 41)
    # Around a singularity the phase takes all values between neighbours.
    assert steepest(walsh(images)[0]) > 1
    assert steepest(inati(images)) < 1.1 * steepest(truth)


def test_the_combined_image_is_real_and_positive():
    torch.manual_seed(0)
    y, x = torch.meshgrid(torch.linspace(-1, 1, 40), torch.linspace(-1, 1, 41), indexing="ij")
    phase = torch.exp(1j * (1 + 2 * x - y * x))
    images = birdcage(40, 41) * smooth(1, 40, 41) * phase
    combined = (inati(images).conj() * images).sum(dim=0)
    torch.testing.assert_close(combined.abs(), images.norm(dim=0), rtol=0.02, atol=0)
    # In the box of 7 points the phase is off its mean by half of what it changes from one end to the other at most.
    assert combined.angle().abs().max() < 3 * (3 * 2 / 40 + 2 * 2 / 39)


def test_is_power_iteration_from_the_mean_of_the_box():
    torch.manual_seed(0)
    images = torch.randn(3, 6, 7, 8, dtype=torch.complex64)
    csm = inati(images, kernel=(3, 5, 3), iterations=2)
    patch = images[:, 1:4, 1:6, 3:6].reshape(3, -1)
    vector = patch @ (patch.mH @ (patch @ (patch.mH @ patch.sum(dim=1))))
    torch.testing.assert_close(csm[:, 2, 3, 4], vector / vector.norm(), rtol=1e-4, atol=1e-5)


def test_axes_before_the_coils_and_scales_are_independent():
    torch.manual_seed(0)
    images = torch.randn(2, 3, 4, 1, 9, 10, dtype=torch.complex64)
    csm = inati(images * torch.tensor([1e-7, 1e5]).reshape(2, 1, 1, 1, 1, 1))
    torch.testing.assert_close(csm[1, 2], inati(images[1, 2]), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(csm[0, 1], inati(images[0, 1]), rtol=1e-4, atol=1e-5)


def test_nothing_gives_nothing():
    assert not inati(torch.zeros(2, 3, 1, 6, 6, dtype=torch.complex64)).any()


@pytest.mark.parametrize("kernel", [4, 0, (3, 4, 3), (3, 3)])
def test_a_kernel_has_a_centre(kernel):
    with pytest.raises(ValueError, match="kernel is"):
        inati(torch.zeros(3, 1, 6, 6, dtype=torch.complex64), kernel=kernel)


def test_at_least_one_iteration():
    with pytest.raises(ValueError, match="iterations is 0"):
        inati(torch.zeros(3, 1, 6, 6, dtype=torch.complex64), iterations=0)


def test_as_gadgetron_differs_where_no_vector_stands_out():
    truth = birdcage(40, 41)
    torch.manual_seed(0)
    images = truth * smooth(1, 40, 41)
    images[..., 20:] = 1e-3 * torch.randn(2, 1, 40, 21, dtype=torch.complex64)
    plain, stock = inati(images, iterations=8), inati(images, iterations=8, as_gadgetron=True)
    torch.testing.assert_close(stock.norm(dim=0), torch.ones(1, 40, 41))
    object_, noise = (..., slice(3, 37), slice(3, 17)), (..., slice(3, 37), slice(23, 37))
    assert (plain - stock)[object_].abs().max() < 1e-3
    assert (plain - stock)[noise].abs().max() > 0.1
    # The phase is that of the mean over the box, which goes round at the edges.
    box = sum(torch.roll(images, (i, j), (-2, -1)) for i in range(-3, 4) for j in range(-3, 4))
    overlap = (box.conj() * stock).sum(dim=0)
    assert overlap.imag.abs().max() < 1e-5 * overlap.real.max()
    assert (overlap.real >= 0).all()
