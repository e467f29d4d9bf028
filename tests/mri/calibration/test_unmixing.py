"""Unmixing in image space is filling of k-space and combination in one."""

import pytest
import torch

from gadgets.mri.calibration.grappa import grappa_fill, grappa_kernels
from gadgets.mri.calibration.sampling import lattice
from gadgets.mri.calibration.unmixing import gfactor, grappa_unmixing, sense_unmixing
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
    unmixing = grappa_unmixing(kernels, csm)
    torch.testing.assert_close(unmixing, csm.conj())
    torch.testing.assert_close(gfactor(unmixing, 1), torch.ones(1, 1, 16, 16))


def test_slices_and_fewer_coils_than_sources():
    blocks, csm = noise(2, 4, 1, 24, 16), normalised(noise(2, 3, 1, 24, 16))
    kernels = torch.stack([grappa_kernels(block, (1, 2)) for block in blocks])[:, :, :, :3]
    together = grappa_unmixing(kernels, csm)
    assert together.shape == (2, 4, 1, 24, 16)
    for index in range(2):
        torch.testing.assert_close(together[index], grappa_unmixing(kernels[index], csm[index]))
    with pytest.raises(ValueError, match=r"kernels have shape \(2, 1, 2, 3, 4, .* csm \(2, 2, 1"):
        grappa_unmixing(kernels, csm[:, :2])


@pytest.mark.parametrize(("steps", "first"), [((1, 2), 0), ((1, 4), 1)])
def test_the_noise_of_sense_is_what_the_inverse_of_its_normal_matrix_says(steps, first):
    """g = sqrt([(S^H S)^-1]_ii [S^H S]_ii), S holding the sensitivities of the points that fold onto each other."""
    csm = normalised(noise(6, 1, 24, 16))
    csm[..., :5] = 0
    csm[..., :9, 5:8] = 0
    mask = lattice_mask((1, 24, 16), steps, first=(0, first))[0]
    found = gfactor(sense_unmixing(csm, lattice(mask)), steps[1])[0, 0]
    for y, x in [(0, 6), (10, 5), (9, 7), (3, 12), (23, 15)]:
        folded = [(y + place * 24 // steps[1]) % 24 for place in range(steps[1])]
        there = [place for place in folded if csm[:, 0, place, x].any()]
        if y not in there:
            assert found[y, x] == 0
            continue
        s = csm[:, 0, there, x].to(torch.complex128)
        own = there.index(y)
        normal = s.mH @ s
        expected = (torch.linalg.inv(normal)[own, own] * normal[own, own]).real.sqrt()
        torch.testing.assert_close(float(found[y, x]), float(expected), rtol=1e-5, atol=0)
    assert not found[:, :5].any()
    assert (found[csm.abs().sum(dim=0)[0] > 0] >= 1 - 1e-6).all()
