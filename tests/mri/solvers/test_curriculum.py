"""A curriculum: easy samples first, noise never, and all the same where there is no noise."""

from dataclasses import replace

import pytest
import torch

from gadgets.mri.kspace import KSpace
from gadgets.mri.solvers.curriculum import Curriculum
from gadgets.mri.solvers.rings import radius
from tests.support.heads import scan
from tests.support.radial_scan import radial_scan, trajectory

DONE = (0, 50, 100)


def noisy(noise):
    """A scan, and the deviation of the noise in the real part."""
    return scan(0, noise=noise, size=48)[0], noise / 2**0.5


def weights(curriculum, kspace, iteration, share):
    """With residuals that are everywhere `share` of the samples' energy."""
    return curriculum(iteration, share * kspace.data.abs().square())


@pytest.mark.parametrize("iteration", DONE)
def test_without_noise_all_weights_are_one(iteration):
    kspace, _ = noisy(0.0)
    made = weights(Curriculum(kspace, 0.0, 100), kspace, iteration, 1.0)
    torch.testing.assert_close(made[kspace.mask], torch.ones(int(kspace.mask.sum())))


def test_the_centre_comes_first_and_the_rest_in_time():
    kspace, sigma = noisy(0.08)
    curriculum = Curriculum(kspace, sigma, 100)
    first, later, last = (weights(curriculum, kspace, iteration, 1.0)[kspace.mask] for iteration in DONE)
    middle = radius(kspace)[kspace.mask] < 0.15
    assert first[middle].min() > 0.5
    assert (last - first)[middle].abs().max() < 0.3
    assert (later >= first - 1e-6).all() and (last >= later - 1e-6).all()
    outer = radius(kspace)[kspace.mask] > 0.8
    assert first[outer].mean() < 0.1 * last[outer].mean()


def white(step, coils=4, sigma=0.3):
    """Noise alone, at one line of every `step`."""
    generator = torch.Generator().manual_seed(0)
    noise = torch.view_as_complex(sigma * torch.randn(coils, 1, 64, 64, 2, generator=generator))
    mask = torch.zeros(1, 1, 64, 64, dtype=torch.bool)
    mask[:, :, ::step] = True
    return KSpace(data=noise * mask, mask=mask), sigma


def test_what_is_noise_is_not_learned():
    kspace, sigma = white(step=4)
    made = weights(Curriculum(kspace, sigma, 100), kspace, 100, 1.0)
    # Of rings of n samples, the energy misses the noise by 1 / sqrt(n): but for the few of the centre, next to nothing.
    assert made[radius(kspace) > 0.2].max() < 0.05


@pytest.mark.parametrize(("step", "noise"), [(4, 1.0), (2, 0.5), (1, 0.25)])
def test_more_samples_than_unknowns_are_fitted_to_the_noise_of_the_image(step, noise):
    """Of four coils and every fourth line, no more than noise is left to fit; of all lines, a fourth of it."""
    kspace, sigma = white(step)
    # Signal of ten times the energy of the noise, so that there is something to learn.
    curriculum = Curriculum(replace(kspace, data=11**0.5 * kspace.data), sigma, 100)
    outer = (radius(kspace) > 0.5) & kspace.mask
    levels = [
        curriculum(100, torch.full(kspace.data.shape, share * 2 * sigma**2))[outer] for share in (noise, 2.1 * noise)
    ]
    # Whoever fits half as much again as there is to be fitted has come to its end.
    assert levels[0].max() < 1e-3 + curriculum._free.max() and levels[1].min() > 0.8


def test_signal_is_learned_until_its_residual_is_noise():
    kspace, sigma = noisy(0.08)
    curriculum = Curriculum(kspace, sigma, 100)
    low = (radius(kspace) > 0.5) & kspace.mask
    noise = torch.full(kspace.data.shape, 2 * sigma**2)
    with_signal = curriculum(100, 4 * noise)[low]
    without = curriculum(100, noise)[low]
    assert (without <= 0.5 * with_signal).all() and (with_signal > 0).any()


@pytest.mark.parametrize("iteration", DONE)
def test_hard_selection_takes_what_weighs_half_and_more(iteration):
    kspace, sigma = noisy(0.08)
    soft, hard = (weights(Curriculum(kspace, sigma, 100, hard=hard), kspace, iteration, 0.7) for hard in (False, True))
    assert hard.equal((soft >= 0.5).float())
    assert 0 < hard[kspace.mask].mean() < 1
    quiet, _ = noisy(0.0)
    assert weights(Curriculum(quiet, 0.0, 100, hard=True), quiet, iteration, 1.0)[quiet.mask].min() == 1


def test_scales_with_the_samples_and_their_noise():
    kspace, sigma = noisy(0.08)
    brighter = replace(kspace, data=1e3 * kspace.data)
    torch.testing.assert_close(
        weights(Curriculum(brighter, 1e3 * sigma, 100), brighter, 20, 0.5),
        weights(Curriculum(kspace, sigma, 100), kspace, 20, 0.5),
    )


def test_without_noise_all_weights_are_one_along_spokes():
    spokes = trajectory(spokes=8, size=32)
    one = radial_scan(spokes, 32)
    volume = replace(one, data=one.data[0], mask=one.mask[0], trajectory=spokes)
    assert weights(Curriculum(volume, 0.0, 100), volume, 0, 1.0).allclose(torch.ones(()))
