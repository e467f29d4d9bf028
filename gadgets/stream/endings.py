"""What is to be done before a process that serves scans ends: work may go on in it that belongs to none of them."""

from __future__ import annotations

from collections.abc import Callable

_endings: list[Callable[[], None]] = []


def before_end(function: Callable[[], None]) -> None:
    """Have `function` called before the process ends, while all of it still works."""
    _endings.append(function)


def end() -> None:
    """For who runs the process: nothing more is served, and it ends after this."""
    while _endings:
        _endings.pop()()
