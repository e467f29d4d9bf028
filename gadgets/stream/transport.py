"""How items travel: a transport receives whatever has arrived and sends items or raw bytes."""

from __future__ import annotations

import io
import select
import socket
from collections.abc import Sequence
from typing import Any, Protocol

from .codec import Decoder, RawMessage, encode
from .control import Close, Error
from .errors import PeerError, StreamError
from .limits import Limits
from .primitives import Buffer

_JOINED_BYTES = 1 << 16
_IOV = 64
_LARGE_BYTES = 1 << 16


class Readable(Protocol):
    """Exact reads from the body of a message, for readers that a gadget brings."""

    def read(self, n: int) -> bytes: ...


class Transport(Protocol):
    """What a connection stands on."""

    def receive(self) -> list[Any]:
        """Every item that has arrived, waiting for at least one; an empty list at the end of the input."""
        ...

    def send(self, item: Any) -> None:
        """Send one item."""
        ...

    def send_bytes(self, data: bytes) -> None:
        """Send a message that somebody else encoded."""
        ...

    def abandoned(self) -> bool:
        """Whether nobody takes what is sent any more, as far as can be told without sending."""
        ...

    def readable(self) -> Readable:
        """The body of the RawMessage that was received last."""
        ...

    def want_raw(self, mid: int) -> None:
        """Return messages `mid` as RawMessage from now on, where this transport has bytes."""
        ...


def send_all(sock: socket.socket, buffers: Sequence[Buffer]) -> None:
    """Send buffers one after the other; large ones are not copied."""
    if sum(len(b) for b in buffers) <= _JOINED_BYTES:
        sock.sendall(b"".join(buffers))
        return
    queue = [memoryview(b) for b in buffers if len(b)]
    while queue:
        sent = sock.sendmsg(queue[:_IOV])
        while queue and sent >= len(queue[0]):
            sent -= len(queue.pop(0))
        if sent:
            queue[0] = queue[0][sent:]


class SocketTransport:
    """The protocol over a connected stream socket.

    Raises PeerError when the peer reports ERROR, ProtocolError for bytes that are not the protocol,
    StreamError when the peer goes away without CLOSE.
    """

    def __init__(self, sock: socket.socket, limits: Limits | None = None):
        self.socket = sock
        self._raw: set[int] = set()
        self.decoder = Decoder(limits, raw=self._raw)
        self._closed = False

    def receive(self) -> list[Any]:
        items: list[Any] = []
        while not self._closed:
            while (item := self.decoder.next()) is not None:
                if isinstance(item, Close):
                    self._closed = True
                    return items
                if isinstance(item, Error):
                    raise PeerError(item.text)
                items.append(item)
                if isinstance(item, RawMessage):
                    return items
            if items:
                return items
            self._fill()
        return items

    def _fill(self) -> None:
        free, missing = self.decoder.get_buffer(), self.decoder.missing
        if missing >= _LARGE_BYTES:
            # Nothing can be done with less: leave the waiting to the kernel.
            n = self.socket.recv_into(free, missing, socket.MSG_WAITALL)
        else:
            n = self.socket.recv_into(free)
        if n == 0:
            self.decoder.eof()
            raise StreamError("the peer ended the connection without CLOSE")
        self.decoder.received(n)

    def send(self, item: Any) -> None:
        send_all(self.socket, encode(item))

    def send_bytes(self, data: bytes) -> None:
        self.socket.sendall(data)

    def abandoned(self) -> bool:
        # Without any event asked for, the end of the other side in both directions is what remains.
        ended = select.poll()
        ended.register(self.socket, 0)
        return bool(ended.poll(0))

    def readable(self) -> Readable:
        return self

    def want_raw(self, mid: int) -> None:
        self._raw.add(mid)

    def read(self, n: int) -> bytes:
        """Exactly `n` bytes of the body of a raw message."""
        while (view := self.decoder.take(n)) is None:
            self._fill()
        return view.tobytes()


class MemoryTransport:
    """Items from one list, to another: a gadget can be called in a test or a notebook without any stream."""

    def __init__(self, items: Sequence[Any]):
        self._items = list(items)
        self.sent: list[Any] = []

    def receive(self) -> list[Any]:
        items, self._items = self._items, []
        return items

    def send(self, item: Any) -> None:
        self.sent.append(item)

    def send_bytes(self, data: bytes) -> None:
        self.sent += decoded(data)

    def abandoned(self) -> bool:
        return False

    def readable(self) -> Readable:
        return io.BytesIO()

    def want_raw(self, mid: int) -> None:
        """Items have no bytes here; the connection encodes the ones that a reader asks for."""


def decoded(data: bytes) -> list[Any]:
    """Every item in `data`, which must hold whole messages."""
    # Its own size: an item must not keep a whole receive buffer alive.
    decoder = Decoder(buffer_bytes=max(1, len(data)))
    decoder.feed(data)
    items = []
    while (item := decoder.next()) is not None:
        items.append(item)
    decoder.eof()
    return items
