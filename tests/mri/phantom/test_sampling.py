"""Lines at random."""

import numpy as np

from gadgets.mri.phantom.sampling import random_lines


def test_what_is_kept_stays_and_the_rest_is_denser_in_the_centre():
    possible = np.ones((32, 40), bool)
    possible[:, :6] = False
    keep = np.zeros_like(possible)
    keep[14:18, 18:22] = True
    random = np.random.default_rng(0)
    times = np.zeros(possible.shape)
    for _ in range(200):
        lines = random_lines(keep, possible, 100, random)
        assert lines.sum() == 116 and lines[keep].all() and not lines[~possible].any()
        times += lines
    # Density is 1 / (1 + 3 d) along each axis, d the distance from the centre over half of the axis. Half-way to the
    # corners it is (1 + 3)^2 / (1 + 3 / 2)^2 = 2.6 times theirs; less, as no line is drawn twice.
    near, far = times[6:10, 28:32].mean(), times[:2, 38:].mean()
    assert 1.5 * far < near < 2.8 * far


def test_none_and_all():
    possible, keep = np.ones((3, 4), bool), np.zeros((3, 4), bool)
    random = np.random.default_rng(0)
    assert not random_lines(keep, possible, 0, random).any()
    assert random_lines(keep, possible, 12, random).all()
