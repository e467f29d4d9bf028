"""A thread that outlives the scan, for a gadget's tensor work.

Each gadget of a scan runs in a thread of its own, and torch keeps a team of helpers, plans and, on a GPU, streams for
each thread that calls it. Made anew for every scan they cost more than a small reconstruction does.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Resident:
    """Runs one call after the other in a thread that stays as long as the process.

    `warm` is called in it at once, so that what the thread needs is there before the first scan.
    """

    def __init__(self, name: str, warm: Callable[[], object]):
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"resident {name}")
        self._executor.submit(warm)

    def __call__(self, function: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        """What `function` returns; what it raises is raised here."""
        return self.submit(function, *arguments, **named).result()

    def submit(self, function: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> Future[T]:
        """The same, without waiting for it."""
        return self._executor.submit(function, *arguments, **named)
