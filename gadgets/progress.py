"""How far the fits of a scan are: told on the client's console and on the terminal, and ended where nobody waits."""

from __future__ import annotations

import time
from collections.abc import Callable

from gadgets.stream.errors import Stopped

#: At most so often is anything told; a client that has gone is noticed by it, too.
EVERY_SECONDS = 2.0


class Progress:
    """Listens to the fits of one scan (`gadgets.mri.solvers.progress`), one at a time.

    abandoned: whether nobody waits for the scan any more; it is asked at every report, and a fit then ends by Stopped.
    tell: called with a line of text. done, total: iterations of the fit that runs. remarks: what was found in it that
    bears on the image; each is told at once, the first time in this scan.
    """

    def __init__(self, abandoned: Callable[[], bool], tell: Callable[[str], None]):
        self.done = self.total = 0
        self.remarks: list[str] = []
        self._abandoned = abandoned
        self._tell = tell
        self._what = ""
        self._told = -EVERY_SECONDS
        self._remarked: set[str] = set()

    def begin(self, what: str) -> None:
        """What follows is about `what`."""
        self.done = self.total = 0
        self.remarks = []
        self._what = what
        self.require_listeners()

    def require_listeners(self) -> None:
        """Raise Stopped where nobody waits any more."""
        if self._abandoned():
            raise Stopped("nobody waits for the scan any more")

    def __call__(self, done: int, total: int, text: str) -> None:
        self.require_listeners()
        self.done, self.total = done, total
        now = time.monotonic()
        if now - self._told >= EVERY_SECONDS:
            self._told = now
            self._tell(f"{self._what}: {done} of {total} iterations, {text}")

    def remark(self, text: str) -> None:
        """Note what was found, and tell it."""
        if text not in self.remarks:
            self.remarks.append(text)
        if text not in self._remarked:
            self._remarked.add(text)
            self._tell(f"{self._what}: {text}")
