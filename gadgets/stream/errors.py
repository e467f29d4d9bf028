"""What can go wrong on the wire: the peer's faults and ours are told apart."""

from __future__ import annotations


class StreamError(Exception):
    """Base of every error of the stream."""


class ProtocolError(StreamError):
    """The peer sent bytes that are not the protocol: unknown id, absurd length, unreadable field."""


class TruncatedMessage(ProtocolError):
    """The data ended inside a message."""


class LimitExceeded(ProtocolError):
    """A length in a message is above what this side accepts; nothing was allocated for it."""


class UnsupportedItem(StreamError, TypeError):
    """This side was asked to write something that has no message."""


class PeerError(StreamError):
    """The peer reported that it failed (message ERROR)."""


class Stopped(StreamError):
    """The chain was stopped (another gadget failed, or the client left); unwind."""


def describe_error(error: BaseException) -> str:
    """An exception in one line for people: its message, after the type's name where that says more."""
    text = " ".join(str(error).split())
    if text and isinstance(error, (ValueError, StreamError)):
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
