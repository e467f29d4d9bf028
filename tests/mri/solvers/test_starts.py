"""Of networks that begin differently, the best one goes on."""

import pytest
import torch
from torch import nn

from gadgets.mri.solvers.fit import fit
from gadgets.mri.solvers.starts import Starts


class Point(nn.Module):
    """A number between two valleys, at -1 and at 1."""

    def __init__(self, value):
        super().__init__()
        self.value = nn.Parameter(torch.tensor(value))


def valleys(point):
    """The one at 1 is deeper by 0.4."""
    loss = (point.value.square() - 1).square() - 0.2 * point.value
    return loss, loss


def fitted(values, until, iterations=200):
    starts = Starts([Point(value) for value in values], until)
    counts, after = [], []

    def loss(iteration):
        seen = []
        if iteration == until:
            after.extend(point.value.item() for point in starts.networks)

        def one(point):
            seen.append(point)
            return valleys(point)

        total = starts.loss(iteration, one)
        counts.append(len(seen))
        return total

    fit(starts, loss, iterations=iterations, rate=0.05)
    return starts, counts, after


def test_the_one_in_the_deeper_valley_goes_on():
    starts, counts, after = fitted([-0.5, -0.7, 0.6, -0.9], until=40)
    assert starts.leader is starts.networks[2]
    assert counts == 40 * [4] + 160 * [1]
    assert starts.leader.value > 1
    changed = [point.value.item() != value for point, value in zip(starts.networks, after, strict=True)]
    assert changed == [False, False, True, False]


def test_it_ends_where_it_would_have_alone():
    starts, *_ = fitted([-0.5, 0.6], until=40)
    alone, counts, _ = fitted([0.6], until=40)
    torch.testing.assert_close(starts.leader.value, alone.leader.value)
    assert counts == 200 * [1]


def test_before_the_end_of_the_race_the_leader_is_the_best_so_far():
    starts, counts, _ = fitted([-0.5, 0.6], until=40, iterations=10)
    assert counts == 10 * [2] and starts.leader is starts.networks[1]


def test_a_single_jump_decides_nothing():
    starts = Starts([Point(0.0), Point(1.0)], 30)
    for iteration in range(31):
        starts.loss(iteration, lambda point, at=iteration: (point.value, (1 - point.value) * (-1) ** (at == 29)))
    # Of the first one, the rank is 1, but -1 in the last iteration of the race; of the second one, 0 in all.
    assert starts.leader is starts.networks[1]


def test_of_equals_the_first_goes_on():
    starts = Starts([Point(3.0), Point(3.0)], 2)
    assert starts.leader is starts.networks[0]
    for iteration in range(3):
        starts.loss(iteration, valleys)
    assert starts.leader is starts.networks[0]


def test_the_mean_is_of_those_that_are_fitted():
    starts = Starts([Point(1.0), Point(3.0)], 1)
    assert float(starts.mean(lambda point: point.value.detach())) == 2
    for iteration in range(2):
        starts.loss(iteration, valleys)
    assert float(starts.mean(lambda point: point.value.detach())) == 1


def test_none_to_start_from_is_refused():
    with pytest.raises(ValueError, match="no networks to start from, expected 1 or more"):
        Starts([])
