"""Rings of k-space, and what samples in them stand for."""

from dataclasses import replace

import pytest
import torch

from gadgets.mri.kspace import KSpace
from gadgets.mri.solvers.rings import Rings, radius
from tests.support.radial_scan import radial_scan, trajectory


def samples(mask, coils=2):
    """K-space of ones where there are samples."""
    return KSpace(data=mask.expand(coils, *mask.shape[1:]) * torch.ones((), dtype=torch.complex64), mask=mask)


def sparse(n=48):
    """All lines of the middle, every fourth beside it."""
    k1 = torch.arange(n)
    lines = ((k1 - n // 2).abs() < 6) | (k1 % 4 == 0)
    return lines[:, None].expand(1, 1, n, n)


def spokes(n=32):
    path = trajectory(spokes=8, size=n)
    one = radial_scan(path, n)
    return replace(one, data=one.data[0], mask=one.mask[0], trajectory=path)


def test_the_end_of_each_axis_is_one_from_the_centre():
    at = radius(samples(sparse()))
    assert at.shape == (1, 1, 48, 48)
    assert at[0, 0, 24, 24] == 0 and at[0, 0, 0, 24] == at[0, 0, 24, 0] == 1
    assert at[0, 0, 0, 0] == pytest.approx(2**0.5)


def test_spokes_are_as_far_out_as_their_trajectory():
    volume = spokes()
    torch.testing.assert_close(radius(volume)[0], volume.trajectory.norm(dim=0) / 16)


def test_the_mean_of_a_ring_is_that_of_its_samples():
    mask = sparse()
    rings = Rings(samples(mask))
    # What is not sampled does not count.
    energy = torch.where(mask, rings.index.float(), 1e6).expand(2, -1, -1, -1)
    torch.testing.assert_close(rings.mean(energy), torch.arange(len(rings.count)).float() * (rings.count > 0))


def test_where_all_is_sampled_each_point_stands_for_itself():
    weights = Rings(samples(torch.ones(1, 1, 32, 48, dtype=torch.bool))).representing()
    assert weights.equal(torch.ones(1, 1, 32, 48))


@pytest.mark.parametrize("missing", [False, True])
def test_errors_that_rings_share_are_summed_over_all_points(missing):
    """However dense samples are; of all points, and of those that were not sampled."""
    mask = sparse()
    rings = Rings(samples(mask))
    everywhere = 1 / (1 + rings.index.float())
    weights = rings.representing(~mask if missing else None)
    expected = everywhere[~mask].sum() if missing else everywhere.sum()
    assert not weights[~mask].any()
    torch.testing.assert_close((weights * everywhere).sum(), expected)
    # The mean of samples is that of the middle, mostly.
    assert everywhere[mask].mean() > 1.2 * everywhere.mean()


def test_rings_without_samples_are_not_counted():
    middle = torch.zeros(1, 1, 48, 48, dtype=torch.bool)
    middle[..., 20:28, 20:28] = True
    rings = Rings(samples(middle))
    # The corners of the middle reach farther than its sides, and what they reach is counted all around.
    there = torch.pi * float(rings.radius[middle].max() * 24) ** 2
    assert float(rings.representing().sum()) == pytest.approx(there, rel=0.2)


def test_nearer_is_what_no_sample_is_as_near_as():
    # All but four rings.
    around = radius(samples(sparse())) > 0.33
    rings = Rings(samples(sparse() & around))
    assert rings.nearer().equal(~around)
    # Both stand for all points, each once.
    weights = rings.representing() + Rings(samples(sparse() & ~around)).representing(rings.nearer())
    torch.testing.assert_close(weights.sum(), Rings(samples(sparse())).representing().sum(), rtol=0.02, atol=0)
    assert not Rings(samples(sparse())).nearer().any()


def test_spokes_stand_for_the_grid():
    """They are dense in the centre, where they weigh little."""
    volume = spokes()
    weights = Rings(volume).representing()
    assert weights.shape == (1, *volume.matrix)
    at = radius(volume)
    area = float(weights[at < 0.9].sum())
    assert area == pytest.approx(torch.pi * 0.9**2 * 16**2, rel=0.1)
    assert weights[at > 0.5].min() > 3 * weights[at < 0.1].max()
