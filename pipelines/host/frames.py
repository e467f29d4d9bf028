"""What parent and worker say to each other over a socket pair: frames of one byte kind, u64 length, payload.

A worker never writes to the client. It hands whole messages to the parent, which alone writes; so a worker that is
killed in the middle of an image leaves the client's stream intact, and the parent can still say what happened.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterable

MESSAGES = b"M"  # whole messages of the protocol, to be sent to the client
DONE = b"D"  # the session has ended; JSON says how
READY = b"R"  # the worker waits for its next session

_HEAD = struct.Struct("<cQ")
_TEXT = struct.Struct("<HI")
_CLOSE = struct.pack("<H", 4)
LEVEL_WIDTH = 8


def text_message(level: str, text: str) -> bytes:
    """A TEXT message as FIRE clients read it: the level in eight characters, then the text."""
    data = f"{level:<{LEVEL_WIDTH}}{text}".encode()
    return _TEXT.pack(5, len(data)) + data


def close_message() -> bytes:
    """CLOSE."""
    return _CLOSE


def send(sock: socket.socket, kind: bytes, payload: Iterable[bytes | memoryview] = ()) -> None:
    """Send one frame."""
    parts = list(payload)
    sock.sendall(_HEAD.pack(kind, sum(len(part) for part in parts)))
    for part in parts:
        sock.sendall(part)


def receive(sock: socket.socket) -> tuple[bytes, bytearray] | None:
    """The next frame, or None when the other side has gone, also in the middle of a frame."""
    head = _exactly(sock, _HEAD.size)
    if head is None:
        return None
    kind, n = _HEAD.unpack(head)
    payload = _exactly(sock, n)
    return None if payload is None else (kind, payload)


def _exactly(sock: socket.socket, n: int) -> bytearray | None:
    data = bytearray(n)
    view = memoryview(data)
    while view:
        try:
            received = sock.recv_into(view)
        except ConnectionError:
            return None
        if not received:
            return None
        view = view[received:]
    return data
