"""How long iterations may take."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import wraps
from math import inf
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(eq=False)
class Limit:
    """A limit in seconds, 0 for none, and the moment at which it is passed.

    met: whether something has ended for it, with what it had by then.
    """

    seconds: float = 0.0
    moment: float = inf
    met: bool = False


_NONE = Limit()
_limit: ContextVar[Limit] = ContextVar("deadline", default=_NONE)


@contextmanager
def deadline(seconds: float) -> Iterator[Limit]:
    """Let what runs inside take `seconds`, 0 for as long as it likes. One that is set already holds on; gives which.

    Every solver looks at the clock before each iteration. Nothing is interrupted: an iteration that has begun ends
    first, and what a device is still to compute does not count before it is waited for. Holds for the calling thread.

    Raises ValueError for a limit below 0.
    """
    if not seconds >= 0:
        raise ValueError(f"deadline is {seconds}, expected 0 seconds or more")
    own = Limit(seconds, time.monotonic() + seconds) if seconds else Limit()
    limit = min(_limit.get(), own, key=lambda one: one.moment)
    token = _limit.set(limit)
    try:
        yield limit
    finally:
        _limit.reset(token)


@contextmanager
def share(parts: int) -> Iterator[None]:
    """Let what runs inside take one of `parts` equal parts of the time that is left.

    For the first of several that follow one another: the next one has its own part, and all that the first one left.
    Where something inside ends for want of time with what it has, the whole deadline is met.
    """
    whole, now = _limit.get(), time.monotonic()
    own = Limit(whole.seconds, now + max(whole.moment - now, 0.0) / parts)
    token = _limit.set(own)
    try:
        yield
    finally:
        _limit.reset(token)
        if own.met:
            whole.met = True


def require_time() -> None:
    """Raise TimeoutError where the deadline has passed, saying the limit. Nothing is read back from a device."""
    limit = _limit.get()
    if time.monotonic() > limit.moment and not limit.met:
        raise _passed(limit)


def late(*, begun: bool) -> bool:
    """Whether the deadline has passed, for what can end with what it has.

    Where it has, the deadline is met: `require_time` lets through what is left to be done with what there is. Raises
    TimeoutError where it has, and nothing has `begun`.
    """
    limit = _limit.get()
    if time.monotonic() <= limit.moment:
        return False
    if not begun:
        raise _passed(limit)
    limit.met = True
    return True


def unhurried(function: Callable[P, T]) -> Callable[P, T]:
    """A function that ends whatever the time, for whoever looks at the clock between calls of it."""

    @wraps(function)
    def whole(*arguments: P.args, **named: P.kwargs) -> T:
        token = _limit.set(_NONE)
        try:
            return function(*arguments, **named)
        finally:
            _limit.reset(token)

    return whole


def _passed(limit: Limit) -> TimeoutError:
    return TimeoutError(f"not done within the limit of {limit.seconds:g} s")
