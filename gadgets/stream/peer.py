"""Being the external peer of a Gadgetron: beginning on a socket, taking over from the package, saying what failed."""

from __future__ import annotations

import contextlib
import os
import socket
from typing import Any

from .codec import encode, message_id
from .connection import Connection
from .control import Config, Error, Header
from .errors import ProtocolError, StreamError
from .ids import MessageId, describe
from .limits import Limits
from .transport import SocketTransport, send_all

ERRORS_AT_ONCE = "DEEPGADGETS_ERRORS_AT_ONCE"


def connect(sock: socket.socket, limits: Limits | None = None) -> Connection:
    """Begin as an external peer of a Gadgetron on a connected socket: CONFIG, then HEADER, then items."""
    transport = SocketTransport(sock, limits)
    waiting: list[Any] = []
    while len(waiting) < 2:
        received = transport.receive()
        if not received:
            raise StreamError("the stream was closed before configuration and header came")
        waiting += received
    config, header, *rest = waiting
    if not isinstance(config, Config) or not isinstance(header, Header):
        names = " and ".join(describe(message_id(item)) for item in waiting[:2])
        expected = f"{describe(MessageId.CONFIG)} and {describe(MessageId.HEADER)}"
        raise ProtocolError(f"a stream begins with {expected}; got {names}")
    return Connection(transport, config.xml, header.xml, rest)


def adopt(connection: Any) -> Connection:
    """Our connection on the socket of one of the gadgetron package, whose reading and writing has defects.

    The package reads exactly what it needs, so nothing has been taken from the socket beyond the header.
    """
    if isinstance(connection, Connection):
        return connection
    transport = SocketTransport(connection.socket.socket)
    return Connection(transport, connection.raw_bytes.config, connection.raw_bytes.header)


def report_failure(connection: Connection, message: str) -> None:
    """Tell a Gadgetron that this gadget failed: take the input to its end, then send ERROR.

    In that order, because a Gadgetron that is still writing when ERROR arrives mostly crashes. A host that sets
    ERRORS_AT_ONCE in our environment is told first, in the middle of its scan.
    """
    transport = connection.transport
    assert isinstance(transport, SocketTransport)
    at_once = ERRORS_AT_ONCE in os.environ
    if at_once:
        send_all(transport.socket, encode(Error(message)))
    with contextlib.suppress(StreamError, OSError):
        connection.drain()
    if not at_once:
        send_all(transport.socket, encode(Error(message)))
