"""A fit: what it keeps, when it ends, and what it tells."""

import time

import numpy as np
import pytest
import torch
from torch import nn

from gadgets.mri.solvers.deadline import deadline, require_time
from gadgets.mri.solvers.fit import fit
from gadgets.mri.solvers.progress import listening


class Line(nn.Module):
    """y = slope x + offset, and a number that no fit changes."""

    def __init__(self):
        super().__init__()
        self.slope, self.offset = nn.Parameter(torch.zeros(1)), nn.Parameter(torch.zeros(1))
        self.register_buffer("fixed", torch.tensor(7.0))

    def forward(self, x):
        return self.slope * x + self.offset


@pytest.fixture
def points():
    """Places, and values on a line with noise."""
    generator = torch.Generator().manual_seed(0)
    x = torch.linspace(-1, 1, 50)
    return x, 2 * x - 1 + 0.3 * torch.randn(50, generator=generator)


@pytest.fixture
def line():
    return Line()


def misfit(line, points):
    x, y = points
    return (line(x) - y).square().mean()


def noting(line, value):
    """Slopes at the looks, and a validation that gives `value()`."""
    slopes = []
    return slopes, lambda: (slopes.append(line.slope.item()), value())[1]


def test_finds_the_line_of_least_squares(line, points):
    x, y = points
    found = fit(line, lambda _: misfit(line, points), iterations=400, rate=0.1)
    expected = torch.linalg.lstsq(torch.stack([x, torch.ones(50)], dim=1), y).solution
    torch.testing.assert_close(torch.cat([line.slope, line.offset]), expected, rtol=1e-4, atol=1e-4)
    assert found.iterations == found.kept == 400
    assert found.validation.numel() == 0
    assert found.loss[-1] == pytest.approx(misfit(line, points).item(), abs=1e-6)
    assert found.state["fixed"] == 7


def test_iterations_are_counted_from_zero_and_the_last_is_looked_at(line, points):
    seen = []

    def loss(iteration):
        seen.append(iteration)
        return misfit(line, points)

    found = fit(line, loss, iterations=60, rate=0.1)
    assert seen == list(range(60))
    assert len(found.loss) > 1
    assert fit(line, loss, iterations=0, rate=0.1).loss.numel() == 0


def test_looks_come_often_in_the_beginning(line, points):
    told = []
    with listening(lambda done, *_: told.append(done)):
        fit(line, lambda _: misfit(line, points), iterations=130, rate=0.1, every=12)
    apart = np.diff([0, *told])
    assert told[0] == 1 and told[-1] == 130
    # An eighth of what is done, and at least one iteration; the last comes when the fit ends.
    assert (apart[1:] <= np.maximum(1, np.array(told[:-1]) / 8)).all()
    assert max(apart) == 12 and (np.diff(apart[:-1]) >= 0).all()


def passing(line, goal):
    """How far the slope is from one that it passes on its way."""
    return lambda: (line.slope - goal).square().sum()


def test_keeps_the_state_of_best_validation(line, points):
    found = fit(
        line, lambda _: misfit(line, points), iterations=300, rate=0.05, validate=passing(line, 1.0), every=5, window=1
    )
    # Adam moves by at most its rate: between two looks the slope cannot jump over the goal by more.
    assert abs(line.slope.item() - 1) < 5 * 0.05
    assert line.slope.equal(found.state["slope"]) and 0 < found.kept < found.iterations == 300


def test_validation_is_smoothed_over_its_window(line, points):
    values = iter(torch.tensor([4.0, 0.0, 4.0, 2.0, 1.0, 3.0]))
    found = fit(
        line, lambda _: misfit(line, points), iterations=6, rate=0.01, validate=values.__next__, every=1, window=3
    )
    torch.testing.assert_close(found.validation, torch.tensor([2.0, 8 / 3, 2.0, 7 / 3, 2.0, 2.0]))
    # The single look that found 0 counts for a third of what it says. Of equals, the last is kept.
    assert found.kept == 6


def test_what_is_kept_is_in_the_middle_of_the_best_looks(line, points):
    """A fit that passes its goal is kept where it was nearest, and not where the mean over several looks ends."""
    slopes, validate = noting(line, lambda: (line.slope - 0.5).square().sum())
    found = fit(line, lambda _: misfit(line, points), iterations=40, rate=0.05, validate=validate, every=1, window=7)
    # Its steps are about as long as one another there.
    nearest = int(np.argmin([abs(slope - 0.5) for slope in slopes])) + 1
    assert nearest > 7 and abs(found.kept - nearest) <= 1
    assert line.slope.item() == slopes[found.kept - 1]


def test_what_is_as_good_as_the_best_is_averaged(line, points):
    values = iter(torch.tensor([5.0, 1.04, 1.2, 1.0, 1.05, 1.5]))
    slopes, validate = noting(line, values.__next__)
    settings = {"validate": validate, "every": 1, "window": 1, "tolerance": 0.045}
    found = fit(line, lambda _: misfit(line, points), iterations=6, rate=0.1, **settings)
    assert list(found.states) == [2, 4] and found.kept == 4
    mean = found.mean(line, lambda: 10 * line.slope)
    assert mean.item() == pytest.approx(5 * (slopes[1] + slopes[3])) and not mean.requires_grad
    assert line.slope.item() == slopes[3]


@pytest.mark.parametrize(("best", "chosen"), [(8, [4, 5, 6, 7, 8]), (7, [4, 5, 6]), (6, [4]), (5, [4])])
def test_the_early_ones_are_those_long_before_the_best(line, points, best, chosen):
    values = [9.0, 5.0, 3.0, *(1.0 if done == best else 1.02 for done in range(4, 9))]
    slopes, validate = noting(line, iter(torch.tensor(values)).__next__)
    settings = {"validate": validate, "every": 1, "window": 1, "tolerance": 0.1}
    found = fit(line, lambda _: misfit(line, points), iterations=8, rate=0.1, **settings)
    assert found.kept == best and list(found.states) == [4, 5, 6, 7, 8]
    early = found.mean(line, lambda: line.slope.clone(), early=True)
    assert early.item() == pytest.approx(np.mean([slopes[done - 1] for done in chosen]))
    assert line.slope.item() == slopes[best - 1]


def test_iterates_may_count_as_often_as_there_were_iterations(line, points):
    """Where looks come often, as in the beginning, each would count too much otherwise."""
    looks, validate = noting(line, lambda: torch.ones(()))
    found = fit(line, lambda _: misfit(line, points), iterations=80, rate=0.1, validate=validate, tolerance=0.1)
    done = list(found.states)
    assert done[:2] == [1, 2] and done[-1] - done[-2] > 5
    mean = found.mean(line, lambda: line.slope.clone(), stepped=True)
    # Iterations since a look have the slope that is found at the next.
    slopes = [slope for slope, since in zip(looks, np.diff([0, *done]), strict=True) for _ in range(since)]
    assert len(slopes) == 80 and mean.item() == pytest.approx(np.mean(slopes))
    assert abs(mean.item() - np.mean(looks)) > 0.01


def test_after_the_deadline_the_best_is_all(line, points):
    with deadline(0.2):
        found = fit(
            line,
            lambda _: (time.sleep(0.002), misfit(line, points))[1],
            iterations=10_000,
            rate=0.01,
            validate=lambda: torch.ones(()),
            every=2,
            tolerance=1.0,
        )
        assert len(found.states) > 10
        assert found.mean(line, lambda: line.slope.clone()).equal(found.state["slope"])


def test_patience_ends_a_fit_that_becomes_no_better(line, points):
    found = fit(
        line,
        lambda _: misfit(line, points),
        iterations=1000,
        rate=0.05,
        validate=passing(line, 0.5),
        every=5,
        window=1,
        patience=3,
    )
    assert found.kept + 15 <= found.iterations < found.kept + 15 + 5


def test_the_average_lags_and_is_smoother(points):
    def ends(average):
        line, generator = Line(), torch.Generator().manual_seed(0)
        noisy = []

        def loss(_):
            # Gradients as noisy as those of single samples.
            noisy.append(line.slope.item())
            return misfit(line, points) + torch.randn(1, generator=generator).sum() * line.slope.sum()

        fit(line, loss, iterations=200, rate=0.1, average=average)
        return line.slope.item(), noisy

    plain, path = ends(0.0)
    mean, same = ends(0.95)
    # Averaging looks on and changes nothing.
    assert path == same
    assert mean != plain
    expected = 0.0
    for done, slope in enumerate([*path[1:], plain], start=1):
        decay = min(0.95, done / (done + 9))
        expected = decay * expected + (1 - decay) * slope
    assert mean == pytest.approx(expected, abs=1e-5)


class SlowGradient(torch.autograd.Function):
    """The identity, whose gradient comes by iterations that look at the clock."""

    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, gradient):
        time.sleep(0.01)
        require_time()
        return gradient


def test_a_deadline_that_passes_in_a_gradient_leaves_what_was_found(line, points):
    with deadline(0.2) as limit:
        found = fit(line, lambda _: SlowGradient.apply(misfit(line, points)), iterations=10_000, rate=0.01)
    assert limit.met and 0 < found.iterations < 30


def test_a_deadline_leaves_what_was_found(line, points):
    def slow(_):
        time.sleep(0.002)
        # As solvers do, which networks may have in them.
        require_time()
        return misfit(line, points)

    with deadline(0.2) as limit:
        found = fit(line, slow, iterations=10_000, rate=0.01, every=2)
        # What is made of it afterwards has its time.
        assert limit.met
        require_time()
    assert 0 < found.iterations < 150 and found.loss[-1] < found.loss[0]
    with pytest.raises(TimeoutError, match="limit of 0.01 s"), deadline(0.01):
        time.sleep(0.02)
        fit(line, slow, iterations=10_000, rate=0.01, every=1000)


def test_tells_how_far_it_is_and_ends_where_the_listener_raises(line, points):
    told = []

    def listener(done, total, text):
        told.append((done, total, text))
        if done == 20:
            raise InterruptedError

    with pytest.raises(InterruptedError), listening(listener):
        fit(line, lambda _: misfit(line, points), iterations=100, rate=0.1, every=10, validate=lambda: torch.ones(()))
    assert [(done, total) for done, total, _ in told][-2:] == [(18, 100), (20, 100)]
    assert told[0][2].startswith("loss ") and told[0][2].endswith(", held out 1")


@pytest.mark.parametrize("when", [0, 7])
def test_a_gradient_that_is_no_number_is_refused(line, points, when):
    def loss(iteration):
        # The slope of the root at 0 is infinite, its value is not.
        broken = (line.slope - line.slope.detach()).abs().sqrt().sum() if iteration == when else 0.0
        return misfit(line, points) + broken

    with pytest.raises(ValueError, match=f"after {when + 1} iterations"):
        fit(line, loss, iterations=100, rate=0.1, every=10)


def test_works_where_gradients_are_off(points):
    with torch.inference_mode():
        line = Line()
        with torch.inference_mode(mode=False):
            line = Line()
            own = tuple(x.clone() for x in points)
        found = fit(line, lambda _: misfit(line, own), iterations=50, rate=0.1)
    assert found.loss[-1] < found.loss[0]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"iterations": -1}, "iterations is -1"),
        ({"every": 0}, "every is 0"),
        ({"window": 0}, "window is 0"),
        ({"window": 4}, "window is 4"),
        ({"patience": -1}, "patience -1"),
        ({"rate": 0.0}, "rate is 0.0"),
        ({"rate": float("nan")}, "rate is nan"),
        ({"average": 1.0}, "average is 1.0"),
        ({"tolerance": -0.1}, "tolerance is -0.1"),
    ],
)
def test_settings_out_of_range_are_refused(line, points, settings, words):
    with pytest.raises(ValueError, match=words):
        fit(line, lambda _: misfit(line, points), **{"iterations": 10, "rate": 0.1, **settings})
