"""What a client sends, item by item: bytes from its socket, with a limit on silence and a way to be woken."""

from __future__ import annotations

import select
import socket
from typing import Any

from gadgets.stream.codec import Decoder
from gadgets.stream.errors import StreamError
from gadgets.stream.limits import Limits


class Woken(Exception):
    """The wait was ended from inside: the chain has failed, or the output has gone."""


class Idle(StreamError):
    """The client sent nothing for the idle limit."""


class ClientInput:
    """Items of one client. `wake` may be called from any thread.

    output: where answers go; when its other end is closed, the wait for input ends as well.
    Raises Idle, ProtocolError for bytes that are not the protocol, Woken.
    """

    def __init__(
        self, sock: socket.socket, limits: Limits, idle_seconds: float, *, output: socket.socket | None = None
    ):
        self._socket = sock
        self._idle = idle_seconds
        self._decoder = Decoder(limits)
        self._waker, self._wakened = socket.socketpair()
        sock.setblocking(False)
        self._poll = select.poll()
        self._poll.register(sock, select.POLLIN)
        self._poll.register(self._wakened, select.POLLIN)
        self._abandoned = select.poll()
        # Without any event asked for, the end of the other side is what remains: of a client, in both directions.
        self._abandoned.register(sock, 0)
        if output is not None:
            self._abandoned.register(output, 0)
            self._poll.register(output, 0)
        self.ended = False

    def next(self) -> Any:
        """The next item; None when the client has closed its side at the end of a message."""
        while (item := self._decoder.next()) is None:
            if not self._receive():
                self._decoder.eof()
                self.ended = True
                return None
        return item

    def _receive(self) -> int:
        while True:
            ready = self._poll.poll(self._idle * 1000)
            if not ready:
                raise Idle(f"nothing came from the client for {self._idle:g} s")
            if any(fd != self._socket.fileno() for fd, _ in ready):
                raise Woken
            try:
                n = self._socket.recv_into(self._decoder.get_buffer())
            except BlockingIOError:
                continue
            except ConnectionError as error:
                raise StreamError(f"the client's connection broke: {error}") from None
            self._decoder.received(n)
            return n

    def abandoned(self) -> bool:
        """Whether nobody takes answers any more."""
        return bool(self._abandoned.poll(0))

    def wake(self) -> None:
        """End a wait for input, now or the next one."""
        self._waker.send(b"!")

    def close(self) -> None:
        self._waker.close()
        self._wakened.close()
