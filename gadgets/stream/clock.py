"""How long a gadget has been at work."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Clock:
    """Seconds during which something was being done, by one thread or by several: those that overlap count once.

    `start` and `stop` may be called from any thread, as often as each other.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._busy = 0
        self._since = 0.0
        self._seconds = 0.0

    @property
    def seconds(self) -> float:
        """So far."""
        with self._lock:
            return self._seconds + (time.monotonic() - self._since if self._busy > 0 else 0.0)

    def start(self) -> None:
        """From here on something is done."""
        with self._lock:
            self._busy += 1
            if self._busy == 1:
                self._since = time.monotonic()

    def stop(self) -> None:
        """It is done."""
        with self._lock:
            if self._busy == 1:
                self._seconds += time.monotonic() - self._since
            self._busy -= 1

    def pause(self, function: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        """What `function` returns, which is a wait and no work."""
        self.stop()
        try:
            return function(*arguments, **named)
        finally:
            self.start()
