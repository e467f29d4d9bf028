"""How long iterations may take."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

#: The limit in seconds, and the moment at which it is passed.
_limit: ContextVar[tuple[float, float] | None] = ContextVar("deadline", default=None)


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Let what runs inside take `seconds`, 0 for as long as it likes. One that is set already holds on.

    Every solver looks at the clock before each iteration. Nothing is interrupted: an iteration that has begun ends
    first, and what a device is still to compute does not count before it is waited for. Holds for the calling thread.

    Raises ValueError for a limit below 0.
    """
    if not seconds >= 0:
        raise ValueError(f"deadline is {seconds}, expected 0 seconds or more")
    earlier = _limit.get()
    own = (seconds, time.monotonic() + seconds) if seconds else None
    token = _limit.set(min((one for one in (earlier, own) if one is not None), key=lambda one: one[1], default=None))
    try:
        yield
    finally:
        _limit.reset(token)


def require_time() -> None:
    """Raise TimeoutError where the deadline has passed, saying the limit. Nothing is read back from a device."""
    limit = _limit.get()
    if limit is not None and time.monotonic() > limit[1]:
        raise TimeoutError(f"not done within the limit of {limit[0]:g} s")
