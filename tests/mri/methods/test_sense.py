"""SENSE unfolds what regular undersampling folds, exactly, and with the noise that theory says."""

import pytest
import torch

from gadgets.mri.fft import fft
from gadgets.mri.kspace import KSpace
from gadgets.mri.methods.adaptive_combine import AdaptiveCombine
from gadgets.mri.methods.cg_sense import CgSense
from gadgets.mri.methods.sense import Sense
from gadgets.mri.phantom.scan import coil_maps, truth
from gadgets.mri.quality.errors import nrmse
from gadgets.mri.quality.support import support
from tests.support.brain import brain
from tests.support.lattices import lattice_mask


def scan(matrix, mask, coils=8, dtype=torch.complex64):
    """K-space of a phantom that is a sum of the grid's points, seen through maps on that grid; maps and the image."""
    maps = torch.from_numpy(coil_maps(matrix[::-1], coils=coils)).to(dtype)
    csm = maps / maps.norm(dim=0)
    image = torch.from_numpy(truth(matrix[::-1]))[None].to(dtype)
    return KSpace(data=fft(csm * image, (-3, -2, -1)) * mask, mask=mask), csm, image


@pytest.mark.parametrize(
    ("matrix", "steps", "shift", "first"),
    [
        ((1, 48, 40), (1, 2), 0, (0, 0)),
        ((1, 48, 40), (1, 3), 0, (0, 1)),
        ((1, 45, 41), (1, 3), 0, (0, 2)),
        ((8, 48, 40), (2, 2), 1, (1, 0)),
        ((12, 24, 20), (3, 1), 1, (0, 0)),
        ((12, 24, 20), (3, 1), -1, (2, 0)),
        ((16, 24, 20), (4, 1), 1, (1, 0)),
        ((1, 48, 40), (1, 4), 0, (0, 3)),
    ],
)
def test_exact_without_noise(matrix, steps, shift, first):
    kspace, csm, image = scan(matrix, lattice_mask(matrix, steps, shift, first))
    found = Sense()(kspace, csm)
    assert found.dtype == torch.complex64
    assert (found - image).norm() < 1e-5 * image.norm()


def test_as_many_points_as_coils_can_be_unfolded_and_no_more():
    maps = torch.randn(4, 6, 20, 8, dtype=torch.complex64, generator=torch.Generator().manual_seed(0))
    image = torch.randn(1, 6, 20, 8, dtype=torch.complex64, generator=torch.Generator().manual_seed(1))

    def kspace(steps):
        mask = lattice_mask((6, 20, 8), steps)
        return KSpace(data=fft(maps * image, (-3, -2, -1)) * mask, mask=mask)

    # Sensitivities at random: some of 960 systems of 4 are near to singular.
    assert (Sense()(kspace((2, 2)), maps) - image).norm() < 1e-3 * image.norm()
    with pytest.raises(ValueError, match="at 960 of 960 points, 4 coils cannot tell the 5 points apart that fold"):
        Sense()(kspace((1, 5)), maps)
    assert Sense(damping=0.1)(kspace((1, 5)), maps).isfinite().all()


def test_coils_that_are_copies_are_refused():
    kspace, csm, _ = scan((1, 48, 40), lattice_mask((1, 48, 40), (1, 2)), coils=1)
    both = KSpace(data=kspace.data.repeat(2, 1, 1, 1), mask=kspace.mask)
    with pytest.raises(ValueError, match="at 1920 of 1920 points, 2 coils cannot tell the 2 points apart"):
        Sense()(both, csm.repeat(2, 1, 1, 1) / 2**0.5)


def test_a_shifted_lattice_unfolds_where_the_rectangular_one_cannot():
    """The coils do not differ along z, so two planes that fold onto each other cannot be told apart; CAIPIRINHA folds
    them with a shift along y."""
    matrix = (12, 32, 24)
    kspace, csm, _ = scan(matrix, lattice_mask(matrix, (2, 1)))
    with pytest.raises(ValueError, match="cannot tell the 2 points apart"):
        Sense()(kspace, csm)
    kspace, csm, image = scan(matrix, lattice_mask(matrix, (2, 1), shift=1))
    assert (Sense()(kspace, csm) - image).norm() < 1e-5 * image.norm()


@pytest.mark.parametrize(("damping", "lines"), [(0.0, 48), (0.05, 48), (0.05, 39)])
def test_it_is_what_conjugate_gradients_converge_to(damping, lines):
    """Also with noise, with maps that end, and (39 lines) where data are missing at the border of k-space."""
    mask = lattice_mask((1, 48, 40), (1, 3)) & (torch.arange(48) < lines)[:, None]
    kspace, csm, _ = scan((1, 48, 40), mask, dtype=torch.complex128)
    y, x = (torch.linspace(-1, 1, n)[:, None] if n == 48 else torch.linspace(-1, 1, n) for n in (48, 40))
    csm = csm * (x**2 + y**2 < 0.8)
    generator = torch.Generator().manual_seed(0)
    noise = 0.01 * torch.randn(kspace.data.shape, dtype=torch.complex128, generator=generator)
    kspace = KSpace(data=(kspace.data + noise) * mask, mask=mask)
    iterated = CgSense(iterations=500, damping=damping, tolerance=1e-10)(kspace, csm)
    found = Sense(damping=damping)(kspace, csm)
    assert not found[csm[:1] == 0].any()
    if lines == 48:
        torch.testing.assert_close(found, iterated, rtol=1e-6, atol=1e-7)
    else:
        # Unfolding takes the missing lines for zero, conjugate gradients leave them open, which helps little.
        image = torch.from_numpy(truth((40, 48, 1)))
        assert (found - image).norm() < 1.05 * (iterated - image).norm()


@pytest.mark.parametrize("first", [0, 1, 2])
def test_where_the_matrix_is_not_a_multiple_of_the_acceleration_it_is_near(first):
    """Points that fold lie between those of the grid, where linear interpolation of waves of one cycle is wrong by
    (2 pi / 128)^2 / 8 = 3e-4 at most, times the noise amplification (some 10 here); and the lattice goes on beyond the
    last line, where the data end."""
    kspace, csm, image = scan((1, 128, 40), lattice_mask((1, 128, 40), (1, 3), first=(0, first)))
    assert (Sense()(kspace, csm) - image).norm() < 0.015 * image.norm()


def test_calibration_lines_are_left_out():
    mask = lattice_mask((1, 48, 40), (1, 3))
    centre = torch.zeros(48, dtype=torch.bool)
    centre[18:30] = True
    kspace, csm, _ = scan((1, 48, 40), mask | centre[:, None])
    lattice_only = KSpace(data=kspace.data * mask, mask=mask)
    torch.testing.assert_close(Sense()(kspace, csm), Sense()(lattice_only, csm))


def test_repetitions_may_be_sampled_differently_and_share_maps():
    masks = torch.stack([lattice_mask((1, 48, 40), (1, 2), first=(0, first)) for first in (0, 1)])
    kspace, csm, image = scan((1, 48, 40), masks)
    found = Sense()(kspace, csm[None])
    assert found.shape == (2, 1, 1, 48, 40)
    for one in found:
        assert (one - image).norm() < 1e-5 * image.norm()


@pytest.mark.parametrize(("steps", "first"), [((1, 2), 0), ((1, 4), 1)])
def test_the_noise_of_sense_is_what_the_inverse_of_its_normal_matrix_says(steps, first):
    """g = sqrt([(S^H S)^-1]_ii [S^H S]_ii), S holding the sensitivities of the points that fold onto each other."""
    csm = torch.randn(6, 1, 24, 16, dtype=torch.complex64, generator=torch.Generator().manual_seed(0))
    csm[..., :5] = 0
    csm[..., :9, 5:8] = 0
    mask = lattice_mask((1, 24, 16), steps, first=(0, first))
    kspace = KSpace(data=csm * mask, mask=mask)
    found = Sense().unmixing(kspace, csm).gfactor()[0, 0]
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
    assert (found[csm.abs().sum(dim=0)[0] > 0] >= 1 - 1e-5).all()


def test_irregular_sampling_is_refused_with_the_reason():
    mask = torch.zeros(1, 1, 48, 40, dtype=torch.bool)
    mask[:, :, [0, 3, 4, 9, 16, 17, 25, 30, 47]] = True
    kspace, csm, _ = scan((1, 48, 40), mask)
    with pytest.raises(ValueError, match="irregular sampling: the 9 lines"):
        Sense()(kspace, csm)


@pytest.mark.data
# Of 128 lines, 2 goes into the matrix and 3 does not: then maps between points are interpolated.
@pytest.mark.parametrize(("acceleration", "more"), [(2, 1.001), (3, 1.03)])
def test_a_brain_is_as_near_as_by_conjugate_gradients(data_dir, acceleration, more):
    full, imaging, reference = brain(data_dir, acceleration)
    csm = CgSense().calibrate(reference)
    combine = AdaptiveCombine()
    expected = combine(full, combine.calibrate(full)).abs().numpy()[0]
    direct, iterated = (
        nrmse(method(imaging, csm).abs().numpy()[0], expected, support(expected), scaled=True)
        for method in (Sense(), CgSense(iterations=100, damping=1e-5, tolerance=1e-6))
    )
    assert direct < more * iterated
