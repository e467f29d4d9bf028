"""Unmixing in image space is filling of k-space and combination in one."""

import pytest
import torch

from gadgets.mri.calibration.grappa import grappa_fill, grappa_kernels
from gadgets.mri.calibration.sampling import lattice
from gadgets.mri.calibration.unmixing import gfactor, grappa_unmixing
from gadgets.mri.fft import ifft
from gadgets.mri.operators.sensitivity import SensitivityOp
from tests.support.lattices import lattice_mask

AXES = (-3, -2, -1)


def noise(*shape):
    return torch.randn(shape, dtype=torch.complex64, generator=torch.Generator().manual_seed(len(shape) + shape[0]))


def normalised(maps):
    return maps / maps.norm(dim=-4, keepdim=True)


def inner(shape, border):
    """K-space without its borders, where what goes round differs from what ends."""
    data = torch.zeros(shape, dtype=torch.complex64)
    part = tuple(slice(b, n - b) for b, n in zip(border, shape[1:], strict=True))
    data[:, part[0], part[1], part[2]] = noise(*data[:, part[0], part[1], part[2]].shape)
    return data


@pytest.mark.parametrize(
    ("steps", "shift"), [((1, 2), 0), ((1, 3), 0), ((2, 2), 0), ((3, 1), 0), ((2, 1), 1), ((2, 2), 1), ((3, 1), -1)]
)
@pytest.mark.parametrize("options", [{}, {"fit_lattice": True, "neighbours": 4}, {"lines": 3, "samples": 2}])
@pytest.mark.parametrize("first", [(0, 0), (0, 1)])
def test_it_is_what_filling_and_combining_give(steps, shift, options, first):
    matrix = (27, 25, 16) if steps[0] > 1 else (1, 31, 16)
    data = inner((4, *matrix), (10 if matrix[0] > 1 else 0, 9, 4))
    # Weights of any values serve: noise is fitted to noise.
    kernels = grappa_kernels(noise(4, *matrix), steps, shift=shift, **options)
    mask = lattice_mask(matrix, steps, shift, first)[0]
    csm = normalised(noise(4, *matrix))
    filled = grappa_fill(data * mask, kernels, lattice(mask))
    expected = SensitivityOp(csm).H(ifft(filled, AXES))
    found = (grappa_unmixing(kernels, csm, shift=shift) * ifft(data * mask, AXES)).sum(dim=0, keepdim=True)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5 * float(expected.abs().max()))


def test_at_the_border_it_goes_round():
    kernels = grappa_kernels(noise(4, 1, 32, 16), (1, 2))
    mask = torch.zeros(1, 32, 16, dtype=torch.bool)
    mask[:, ::2] = True
    data, csm = noise(4, 1, 32, 16) * mask, normalised(noise(4, 1, 32, 16))
    twice, all_lines = data.tile(1, 1, 3, 3), mask.tile(1, 3, 3)
    filled = grappa_fill(twice, kernels, lattice(all_lines))[:, :, 32:64, 16:32]
    expected = SensitivityOp(csm).H(ifft(filled, AXES))
    found = (grappa_unmixing(kernels, csm) * ifft(data, AXES)).sum(dim=0, keepdim=True)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5 * float(expected.abs().max()))


def test_without_acceleration_it_is_the_combination():
    csm = normalised(noise(4, 1, 16, 16))
    kernels = grappa_kernels(noise(4, 1, 16, 16), (1, 1))
    torch.testing.assert_close(grappa_unmixing(kernels, csm), csm.conj())


def test_slices_and_fewer_coils_than_sources():
    blocks, csm = noise(2, 4, 1, 24, 16), normalised(noise(2, 3, 1, 24, 16))
    kernels = torch.stack([grappa_kernels(block, (1, 2)) for block in blocks])[:, :, :, :3]
    together = grappa_unmixing(kernels, csm)
    assert together.shape == (2, 4, 1, 24, 16)
    for index in range(2):
        torch.testing.assert_close(together[index], grappa_unmixing(kernels[index], csm[index]))
    with pytest.raises(ValueError, match=r"kernels have shape \(2, 1, 2, 3, 4, .* csm \(2, 2, 1"):
        grappa_unmixing(kernels, csm[:, :2])


def test_g_is_the_norm_over_the_coils_for_each_line_that_was_left_out():
    unmixing, full = noise(3, 6, 1, 8, 8), noise(1, 6, 1, 8, 8)
    norm = unmixing.norm(dim=-4, keepdim=True) / 4
    torch.testing.assert_close(gfactor(unmixing, 4), norm)
    torch.testing.assert_close(gfactor(unmixing, 4, full=full), norm / full.norm(dim=-4, keepdim=True))
