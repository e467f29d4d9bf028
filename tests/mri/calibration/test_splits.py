"""Samples in two: disjoint, complete, and drawn from where there are any."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from gadgets.mri.calibration.splits import split, split_zero_shot
from gadgets.mri.kspace import KSpace
from gadgets.mri.operators.encoding import encoding
from gadgets.mri.training.losses import held_out
from tests.support.radial_scan import radial_scan, trajectory


@pytest.fixture
def scan():
    """Two slices of an image of noise, sampled with other lines each, and their truth."""
    torch.manual_seed(0)
    csm = torch.nn.functional.normalize(torch.randn(2, 4, 1, 32, 32, dtype=torch.complex64), dim=1)
    image = torch.randn(2, 1, 1, 32, 32, dtype=torch.complex64)
    mask = torch.rand(2, 1, 1, 32, 1) > 0.4
    mask[..., 14:18, :] = True
    mask = mask.expand(2, 1, 1, 32, 32)
    full = KSpace(data=torch.zeros(2, 4, 1, 32, 32, dtype=torch.complex64), mask=mask)
    return KSpace(data=encoding(full, csm)(image), mask=mask), csm, image


def test_parts_are_disjoint_and_whole(scan):
    kspace, *_ = scan
    seen, kept = split(kspace, 0.3, np.random.default_rng(0))
    assert not (seen.mask & kept.mask).any()
    assert (seen.data + kept.data).equal(kspace.data)
    for index in range(2):
        assert kept.mask[index].sum() == round(0.3 * int(kspace.mask[index].sum()))
    assert seen.mask[..., 15:18, 15:18].all()


def test_the_truth_predicts_what_was_held_out(scan):
    kspace, csm, image = scan
    _, kept = split(kspace, 0.3, np.random.default_rng(0))
    assert held_out(image, kept, csm) < 1e-5
    assert held_out(0 * image, kept, csm) == pytest.approx(1)


def test_zero_shot_keeps_the_samples_to_stop_by_from_all_pairs(scan):
    kspace, *_ = scan
    pairs, (training, stop) = split_zero_shot(kspace, np.random.default_rng(0), pairs=3)
    assert len(pairs) == 3
    for seen, kept in pairs:
        assert not ((seen.mask | kept.mask) & stop.mask).any()
        assert (seen.mask | kept.mask).equal(training.mask)
    assert not pairs[0][1].mask.equal(pairs[1][1].mask)


def test_zero_shot_predicts_whole_readouts_of_lines(scan):
    kspace, *_ = scan
    pairs, (training, stop) = split_zero_shot(kspace, np.random.default_rng(0), pairs=3, readouts=True)
    for seen, kept in pairs:
        assert not (seen.mask & kept.mask).any() and (seen.mask | kept.mask).equal(training.mask)
        assert not (seen.mask.any(dim=-1) & kept.mask.any(dim=-1)).any()
        assert seen.mask.any(dim=-1)[..., 14:19].equal(kspace.mask.any(dim=-1)[..., 14:19])
        for index in range(2):
            among = int(kspace.mask[index].any(dim=-1).sum()) - int(kspace.mask[index].any(dim=-1)[..., 14:19].sum())
            assert kept.mask[index].any(dim=-1).sum() == round(0.3 * among)
    assert not pairs[0][1].mask.equal(pairs[1][1].mask)
    # What stops are points still: no line is lost to the training.
    assert (stop.mask | training.mask).equal(kspace.mask)
    assert training.mask.any(dim=-1).equal(kspace.mask.any(dim=-1))


def without_most_lines(kspace):
    few = kspace.mask.clone()
    few[..., :10, :] = few[..., 22:, :] = False
    return few


def without_points(kspace):
    return kspace.mask & (torch.rand(kspace.mask.shape, generator=torch.Generator().manual_seed(0)) > 0.5)


@pytest.mark.parametrize("mask", [without_most_lines, without_points])
def test_zero_shot_predicts_points_where_readouts_are_few_or_none(scan, mask):
    kspace, *_ = scan
    kspace = replace(kspace, mask=mask(kspace), data=torch.where(mask(kspace), kspace.data, 0))
    one, other = (
        split_zero_shot(kspace, np.random.default_rng(0), pairs=2, readouts=readouts)[0] for readouts in (False, True)
    )
    for first, second in zip(one, other, strict=True):
        assert first[1].mask.equal(second[1].mask)


def test_zero_shot_predicts_points_along_spokes():
    kspace = radial_scan(trajectory(spokes=21, size=32), 32, slices=(0, 8))
    one, other = (
        split_zero_shot(kspace, np.random.default_rng(0), pairs=2, readouts=readouts)[0] for readouts in (False, True)
    )
    assert one[0][1].mask.equal(other[0][1].mask)


def test_spokes_keep_their_trajectory_and_the_middle_of_kspace():
    spokes = trajectory(spokes=21, size=32)
    kspace = radial_scan(spokes, 32, slices=(0, 8))
    seen, kept = split(kspace, 0.3, np.random.default_rng(0))
    for part in (seen, kept):
        assert part.trajectory is kspace.trajectory and part.grid == kspace.grid
    assert not (seen.mask & kept.mask).any() and (seen.data + kept.data).equal(kspace.data)
    radius = spokes.norm(dim=-4, keepdim=True).expand(kept.mask.shape)
    assert radius[kept.mask].min() > 2
    # Taken more often near the middle, where the density of draws is larger, than their share.
    near = (radius > 2.9) & (radius < 8)
    assert kept.mask[near].float().mean() > kept.mask[radius >= 8].float().mean()


@pytest.mark.parametrize("share", [0, 1, -0.5])
def test_shares_that_leave_nothing_are_refused(scan, share):
    with pytest.raises(ValueError, match=f"share is {share}"):
        split(scan[0], share, np.random.default_rng(0))
