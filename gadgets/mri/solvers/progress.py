"""How far iterations are, and what they come upon, told to whoever listens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

#: What is called with (done, total, text).
Listener = Callable[[int, int, str], None]
#: What is called with a text.
Remarks = Callable[[str], None]

_listener: ContextVar[Listener | None] = ContextVar("progress", default=None)
_remarks: ContextVar[Remarks | None] = ContextVar("remarks", default=None)


@contextmanager
def listening(listener: Listener, remarks: Remarks | None = None) -> Iterator[None]:
    """Have `listener(done, total, text)` called by what runs inside and takes long, now and then.

    It is called in the thread that computes, which waits for it. What it raises ends the computation, and goes through
    to here. Of two, the inner one is called. `remarks(text)` is called alike for each remark; without it, they go where
    they went before. Holds for the calling thread.
    """
    token, other = _listener.set(listener), _remarks.set(remarks or _remarks.get())
    try:
        yield
    finally:
        _remarks.reset(other)
        _listener.reset(token)


@contextmanager
def within(begun: int, total: int) -> Iterator[None]:
    """What runs inside is the part of `total` iterations that follows the first `begun` ones, and is told as such."""
    outer = _listener.get()
    if outer is None:
        yield
        return
    with listening(lambda done, _, text: outer(begun + done, total, text)):
        yield


def report(done: int, total: int, text: str) -> None:
    """Tell the listener, if there is one, that `done` of `total` iterations are over, and `text`, for people."""
    listener = _listener.get()
    if listener is not None:
        listener(done, total, text)


def remark(text: str) -> None:
    """Tell whoever listens to remarks what was found that bears on the image, for people: `text`, about "it"."""
    remarks = _remarks.get()
    if remarks is not None:
        remarks(text)
