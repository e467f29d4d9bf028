"""What sensitivities of a few points tell of samples that were not acquired."""

import pytest
import torch

from gadgets.mri.fft import fft, ifft
from gadgets.mri.solvers.reach import mirrored, reached


def test_it_is_where_a_kernel_spreads_samples_to():
    """A sensitivity of 5 x 5 points moves what is in one sample by up to two along each axis, and no farther."""
    torch.manual_seed(0)
    mask = torch.zeros(1, 1, 20, 24, dtype=torch.bool)
    mask[..., 4, 7] = mask[..., 12, 15] = mask[..., 13, 16] = True
    kernel = torch.zeros(20, 24, dtype=torch.complex64)
    kernel[8:13, 10:15] = torch.randn(5, 5, dtype=torch.complex64)
    spread = fft(ifft(kernel, (-2, -1)) * ifft(mask.to(torch.complex64), (-2, -1)), (-2, -1))
    assert reached(mask, 2).equal(spread.abs() > 1e-4 * spread.abs().max())


def test_along_an_axis_of_one_point_nothing_is_missing():
    mask = torch.zeros(1, 1, 16, 16, dtype=torch.bool)
    mask[..., :10, :] = True
    assert reached(mask, 3)[0, 0].all(dim=1).nonzero().flatten().tolist() == list(range(13))
    assert reached(mask, 0).equal(mask)


def test_planes_beside_each_other_are_reached():
    mask = torch.zeros(1, 9, 4, 4, dtype=torch.bool)
    mask[:, 4] = True
    assert reached(mask, 1)[0].flatten(1).all(dim=1).nonzero().flatten().tolist() == [3, 4, 5]


@pytest.mark.parametrize("matrix", [(8, 8), (9, 9), (8, 9)])
def test_mirror_images_are_where_the_conjugate_of_an_image_has_its_samples(matrix):
    torch.manual_seed(0)
    mask = torch.rand(1, *matrix) < 0.2
    conjugate = fft(ifft(mask * torch.randn(1, *matrix, dtype=torch.complex64), (-2, -1)).conj(), (-2, -1))
    assert mirrored(mask).equal(conjugate.abs() > 1e-4)
