"""What is told of a fit, how often, and how it ends."""

import pytest

from gadgets import progress
from gadgets.progress import EVERY_SECONDS, Progress
from gadgets.stream.errors import Stopped


@pytest.fixture
def clock(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def test_it_is_told_at_once_and_then_now_and_then(clock):
    told = []
    fits = Progress(lambda: False, told.append)
    for slice_number in range(2):
        fits.begin(f"slice {slice_number}")
        for done in range(1, 101):
            clock[0] += EVERY_SECONDS / 32
            fits(done, 100, "well")
    # Of 200 reports in 6.25 times as long; another slice is no reason to tell more.
    assert [line.partition(" of ")[0] for line in told] == [
        "slice 0: 1",
        "slice 0: 33",
        "slice 0: 65",
        "slice 0: 97",
        "slice 1: 29",
        "slice 1: 61",
        "slice 1: 93",
    ]
    assert told[0] == "slice 0: 1 of 100 iterations, well"
    assert (fits.done, fits.total) == (100, 100)
    fits.begin("slice 2")
    assert (fits.done, fits.total) == (0, 0)


def test_it_ends_where_nobody_waits():
    left = []
    fits = Progress(lambda: bool(left), lambda text: None)
    fits(1, 2, "well")
    left.append(True)
    with pytest.raises(Stopped, match="nobody waits"):
        fits(2, 2, "well")
    with pytest.raises(Stopped):
        fits.begin("the next")


def test_what_is_found_is_told_the_first_time_and_kept_each_time(clock):
    told = []
    fits = Progress(lambda: False, told.append)
    for slice_number in range(2):
        fits.begin(f"slice {slice_number}")
        # Of two planes of the same slice, say.
        fits.remark("odd")
        fits.remark("odd")
        assert fits.remarks == ["odd"]
    fits.remark("even")
    assert fits.remarks == ["odd", "even"]
    assert told == ["slice 0: odd", "slice 1: even"]
