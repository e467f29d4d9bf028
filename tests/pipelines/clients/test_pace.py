"""Acquisitions leave at their time, and never later than the scanner would have sent them."""

from __future__ import annotations

import time

import ismrmrd
import numpy as np
import pytest

from gadgets.stream.blocks import AcquisitionBlock
from gadgets.stream.dtypes import ACQUISITION_HEADER
from pipelines.clients import pace
from pipelines.clients.pace import factor, paced


class Clock:
    """Time that passes only by waiting."""

    def __init__(self):
        self.now = 0.0
        self.waits = 0

    def monotonic(self):
        return self.now

    def wait(self, seconds):
        assert seconds > 0
        self.waits += 1
        self.now += seconds
        return False


@pytest.fixture
def clock(monkeypatch):
    made = Clock()
    monkeypatch.setattr(pace, "time", made)
    return made


def block(stamps):
    headers = np.zeros(len(stamps), ACQUISITION_HEADER)
    headers["number_of_samples"], headers["active_channels"] = 1, 1
    headers["acquisition_time_stamp"] = stamps
    return AcquisitionBlock(headers, np.zeros((len(stamps), 1, 1), np.complex64))


def departures(clock, items, times_faster):
    return [
        (round(clock.now, 6), int(stamp))
        for part in paced(items, times_faster, clock.wait)
        for stamp in part.headers["acquisition_time_stamp"]
    ]


@pytest.mark.parametrize("times_faster", [1.0, 4.0, 0.5])
def test_each_acquisition_leaves_at_its_time(clock, times_faster):
    blocks = [block([1000, 1004, 1004]), block([1008]), block([1012, 1400])]
    expected = [(round((t - 1000) * 2.5e-3 / times_faster, 6), t) for t in (1000, 1004, 1004, 1008, 1012, 1400)]
    assert departures(clock, blocks, times_faster) == expected
    assert clock.waits == 4


def test_what_is_late_leaves_at_once_and_together(clock):
    clock.now = -100.0

    def slow():
        yield block([0, 10])
        clock.now += 1.0
        yield block([20, 30, 40, 500])

    parts = list(paced(slow(), 1.0, clock.wait))
    assert [len(part) for part in parts] == [1, 1, 3, 1]


def test_steps_back_and_long_pauses_count_as_none(clock):
    blocks = [block([5]), block([40_000_000, 40_000_004, 7, 11])]
    assert departures(clock, blocks, 1.0) == [
        (0, 5),
        (0, 40_000_000),
        (0.01, 40_000_004),
        (0.01, 7),
        (0.02, 11),
    ]


def test_other_items_pass_by_and_stopping_ends_the_items(clock):
    waveform = ismrmrd.Waveform()
    found = paced([waveform, block([0, 400]), waveform], 1.0, lambda seconds: True)
    assert next(found) is waveform
    assert len(next(found)) == 1
    assert list(found) == []


def test_in_real_time():
    start = time.monotonic()
    for _ in paced([block(np.arange(0, 80, 4))], 1.0, lambda s: time.sleep(s)):
        pass
    assert 0.19 <= time.monotonic() - start < 1


@pytest.mark.parametrize(("value", "expected"), [("real", 1.0), ("none", None), (None, None), ("2.5", 2.5), (10, 10.0)])
def test_factor(value, expected):
    assert factor(value) == expected


@pytest.mark.parametrize("value", ["fast", "0", -1, "nan", "inf"])
def test_factor_refuses(value):
    with pytest.raises(ValueError, match="pace must be real, none or a number above 0"):
        factor(value)
