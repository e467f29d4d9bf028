"""How far iterations are, told to whoever listens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

#: What is called with (done, total, text).
Listener = Callable[[int, int, str], None]

_listener: ContextVar[Listener | None] = ContextVar("progress", default=None)


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Have `listener(done, total, text)` called by what runs inside and takes long, now and then.

    It is called in the thread that computes, which waits for it. What it raises ends the computation, and goes through
    to here. Of two, the inner one is called. Holds for the calling thread.
    """
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def report(done: int, total: int, text: str) -> None:
    """Tell the listener, if there is one, that `done` of `total` iterations are over, and `text`, for people."""
    listener = _listener.get()
    if listener is not None:
        listener(done, total, text)
