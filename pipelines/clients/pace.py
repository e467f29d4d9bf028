"""Sending acquisitions as fast as a scanner measured them, or a given number of times faster."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from gadgets.stream.blocks import AcquisitionBlock

TICK_S = 2.5e-3  # of acquisition_time_stamp
#: Noise scans and references can be minutes or hours older than the scan; nobody waits for that again.
LONGEST_PAUSE_S = 60.0


def factor(pace: str | float | None) -> float | None:
    """How many times faster than the scanner: 1 for "real", a number above 0 for itself, None for "none" and None.

    Raises ValueError, naming the choices, for anything else.
    """
    if pace is None or pace == "none":
        return None
    if pace == "real":
        return 1.0
    try:
        value = float(pace)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise ValueError(f"pace must be real, none or a number above 0 (times faster than real), not {pace!r}")
    return value


def paced(items: Iterable[Any], times_faster: float, wait: Callable[[float], bool]) -> Iterator[Any]:
    """The items, with acquisitions held back until their time.

    Time is counted from the first acquisition by acquisition_time_stamp (ticks of 2.5 ms), divided by `times_faster`.
    A step back in time, or a pause of more than a minute, counts as none. Acquisitions of a block that are due leave
    together. `wait(seconds)` waits, and returns true when there is nothing to wait for any more; the items end then.
    """
    start = time.monotonic()
    last: int | None = None
    due = 0.0
    for item in items:
        if not isinstance(item, AcquisitionBlock):
            yield item
            continue
        stamps = item.headers["acquisition_time_stamp"].astype(np.int64)
        steps = np.diff(stamps, prepend=stamps[0] if last is None else last) * (TICK_S / times_faster)
        steps[(steps < 0) | (steps > LONGEST_PAUSE_S / times_faster)] = 0
        when = due + np.cumsum(steps)
        due, last = float(when[-1]), int(stamps[-1])
        sent = 0
        while sent < len(item):
            ready = int(np.searchsorted(when, time.monotonic() - start, side="right"))
            if ready > sent:
                yield item[sent:ready]
                sent = ready
            elif wait(float(when[sent]) - (time.monotonic() - start)):
                return
