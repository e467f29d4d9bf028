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
    pairs, stops, training = split_zero_shot(kspace, np.random.default_rng(0), pairs=3)
    assert len(pairs) == 3
    for seen, kept in pairs:
        assert not any(((seen.mask | kept.mask) & stop.mask).any() for _, stop in stops)
        assert (seen.mask | kept.mask).equal(training.mask)
    assert not pairs[0][1].mask.equal(pairs[1][1].mask)


def test_zero_shot_predicts_whole_readouts_of_lines(scan):
    kspace, *_ = scan
    pairs, _, training = split_zero_shot(kspace, np.random.default_rng(0), pairs=3)
    for seen, kept in pairs:
        assert not (seen.mask & kept.mask).any() and (seen.mask | kept.mask).equal(training.mask)
        assert not (seen.mask.any(dim=-1) & kept.mask.any(dim=-1)).any()
        assert seen.mask.any(dim=-1)[..., 14:19].equal(kspace.mask.any(dim=-1)[..., 14:19])
        for index in range(2):
            among = int(kspace.mask[index].any(dim=-1).sum()) - int(kspace.mask[index].any(dim=-1)[..., 14:19].sum())
            assert kept.mask[index].any(dim=-1).sum() == round(0.3 * among)
    assert not pairs[0][1].mask.equal(pairs[1][1].mask)
    # What stops are points still: no line is lost to the training.
    assert training.mask.any(dim=-1).equal(kspace.mask.any(dim=-1))


def test_what_stops_are_points_of_readouts_that_are_not_shown(scan):
    """Each of them once, but for those of the middle, which is always shown."""
    kspace, *_ = scan
    _, stops, training = split_zero_shot(kspace, np.random.default_rng(0), pairs=1)
    rest = kspace.mask & ~training.mask
    assert len(stops) == 3 and rest.any()
    for seen, kept in stops:
        assert kept.mask.any() and not (seen.mask & ~training.mask).any() and not (kept.mask & ~rest).any()
        assert not (seen.mask.any(dim=-1) & kept.mask.any(dim=-1)).any()
        assert seen.mask[..., 14:19, :].equal(training.mask[..., 14:19, :])
    outside = rest.clone()
    outside[..., 14:19, :] = False
    assert sum(kept.mask.int() for _, kept in stops).equal(outside.int())


def masked(kspace, mask):
    return replace(kspace, mask=mask, data=torch.where(mask, kspace.data, 0))


def lines(kspace, beside):
    """`kspace` with its middle and `beside` other lines."""
    mask = torch.zeros_like(kspace.mask)
    mask[..., [*range(beside), *range(14, 19)], :] = True
    return masked(kspace, mask)


def require_one_to_stop_by(stops, kspace, training):
    """All samples that teach are shown, and all others held out."""
    ((seen, kept),) = stops
    assert seen.mask.equal(training.mask) and not (kept.mask & training.mask).any()
    assert (kept.mask | training.mask).equal(kspace.mask.expand(training.mask.shape))


@pytest.mark.parametrize("beside", [4, 11])
def test_zero_shot_predicts_points_beside_few_readouts(scan, beside):
    kspace = lines(scan[0], beside)
    pairs, stops, training = split_zero_shot(kspace, np.random.default_rng(0), pairs=3)
    require_one_to_stop_by(stops, kspace, training)
    for seen, kept in pairs:
        assert not (seen.mask & kept.mask).any() and (seen.mask | kept.mask).equal(training.mask)
        gone = (training.mask.any(dim=-1) & ~seen.mask.any(dim=-1))[..., None]
        whole = training.mask & gone
        for index in range(2):
            assert gone[index].sum() == round(0.3 * beside)
            others = int(training.mask[index].sum() - whole[index].sum())
            assert (kept.mask & ~gone)[index].sum() == round(0.2 * others)


def require_points(kspace):
    """Two fifths of the samples of a training are held out, and no readout is gone."""
    pairs, stops, training = split_zero_shot(kspace, np.random.default_rng(0), pairs=2)
    require_one_to_stop_by(stops, kspace, training)
    for seen, kept in pairs:
        assert seen.mask.any(dim=-1).equal(training.mask.any(dim=-1))
        for index in range(len(training.mask)):
            assert kept.mask[index].sum() == round(0.4 * int(training.mask[index].sum()))


def test_zero_shot_predicts_points_where_readouts_are_fewer(scan):
    require_points(lines(scan[0], 3))


def test_zero_shot_predicts_points_where_samples_are_no_readouts(scan):
    kspace, *_ = scan
    require_points(
        masked(kspace, kspace.mask & (torch.rand(kspace.mask.shape, generator=torch.Generator().manual_seed(0)) > 0.5))
    )


def test_zero_shot_predicts_points_along_spokes():
    require_points(radial_scan(trajectory(spokes=21, size=32), 32, slices=(0, 8)))


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
