"""Gadgets in other processes: a child `python -m gadgetron`, or a peer that already listens.

Both speak the same protocol on a socket: CONFIG, HEADER, items, CLOSE; then their items and their CLOSE.
"""

from __future__ import annotations

import collections
import logging
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import IO

from gadgets.stream.connection import Connection
from gadgets.stream.control import Close, Config, Header
from gadgets.stream.errors import Stopped, StreamError, TruncatedMessage, describe_error
from gadgets.stream.notices import NOTICE
from gadgets.stream.peer import ERRORS_AT_ONCE
from gadgets.stream.transport import SocketTransport

log = logging.getLogger(__name__)

START_SECONDS = 60.0
EXIT_SECONDS = 10.0
CONNECT_TRIES = 5
SETTLE_SECONDS = 1.0
LOOK_SECONDS = 0.2
KEPT_LINES = 30
# As the gadgetron package writes what its gadget logs.
_TOLD = re.compile(r" (WARNING|NOTICE) \[ext\. \d+ \S+\] (.*)")
LEFT = "it closed before the end of its input"


class ExternalError(StreamError):
    """A gadget in another process failed, or could not be reached."""


def child(module: str, target: str) -> Callable[[Connection], None]:
    """A gadget that runs `module`'s `target` as a child process, as a Gadgetron would."""

    def run(connection: Connection) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
            command = [sys.executable, "-m", "gadgetron", str(port), module, target]
            process = subprocess.Popen(
                command,
                env=environment(),
                stdin=subprocess.DEVNULL,
                stdout=sys.stderr.fileno(),
                stderr=subprocess.PIPE,
                text=True,
            )
            lines = _Lines(process.stderr)
            try:
                _relay(_accept(listener, process, lines), connection, lambda seen: _reason(process, lines) or seen)
                if process.wait(EXIT_SECONDS) != 0:
                    raise ExternalError(_reason(process, lines))
            except subprocess.TimeoutExpired:
                raise ExternalError(f"{module}.{target} did not exit after its CLOSE") from None
            finally:
                process.kill()
                process.wait()
                lines.join()

    return run


def peer(address: str, port: int) -> Callable[[Connection], None]:
    """A gadget that listens at `address:port`."""

    def run(connection: Connection) -> None:
        sock = _reach(address, port)
        _relay(sock, connection, lambda seen: f"the peer at {address}:{port}: {seen}")

    return run


class _Lines(threading.Thread):
    """What a child writes to its standard error: logged as it comes, the last lines kept for the error message."""

    def __init__(self, stream: IO[str] | None):
        super().__init__(name="standard error of a child", daemon=True)
        self._stream = stream
        self.last: collections.deque[str] = collections.deque(maxlen=KEPT_LINES)
        self.start()

    def run(self) -> None:
        if self._stream is None:
            return
        with self._stream:
            for line in self._stream:
                self.last.append(line.rstrip())
                if told := _TOLD.search(line):
                    # Those of a gadget in this process go to the client too.
                    level = logging.WARNING if told[1] == "WARNING" else NOTICE
                    logging.getLogger("gadgets.external").log(level, "%s", told[2])
                else:
                    log.info("%s", line.rstrip())


def _accept(listener: socket.socket, process: subprocess.Popen[str], lines: _Lines) -> socket.socket:
    deadline = time.monotonic() + START_SECONDS
    listener.settimeout(0.1)
    while time.monotonic() < deadline:
        try:
            sock, _ = listener.accept()
        except TimeoutError:
            if process.poll() is not None:
                raise ExternalError(_reason(process, lines) or "its process ended before it connected") from None
            continue
        sock.settimeout(None)
        return sock
    raise ExternalError(f"the child process did not connect within {START_SECONDS:.0f} s")


def _reach(address: str, port: int) -> socket.socket:
    for attempt in range(CONNECT_TRIES):
        if attempt:
            time.sleep(1.0)
        try:
            sock = socket.create_connection((address, port), timeout=5.0)
        except OSError as error:
            reason = error
            continue
        sock.settimeout(None)
        return sock
    raise ExternalError(f"nothing answers at {address}:{port} after {CONNECT_TRIES} tries: {describe_error(reason)}")


def _relay(sock: socket.socket, connection: Connection, reason: Callable[[str], str]) -> None:
    """Send the connection's input to the peer and its items on, until both have closed.

    `reason`: why the peer has gone, better than what is seen of it here.
    """
    transport = SocketTransport(sock)
    ended = threading.Event()
    stopped = threading.Event()
    over = threading.Event()

    def feed() -> None:
        try:
            transport.send(Config(connection.raw_bytes.config))
            transport.send(Header(connection.raw_bytes.header))
            for item in connection.blocks():
                transport.send(item)
            transport.send(Close())
            ended.set()
            while not over.wait(LOOK_SECONDS):
                if connection.abandoned():
                    raise Stopped("the chain was stopped")
        except Stopped:
            stopped.set()
            sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            log.debug("the peer takes no more input")

    with sock:
        feeder = threading.Thread(target=feed, name="input of an external gadget", daemon=True)
        feeder.start()
        try:
            while items := transport.receive():
                for item in items:
                    connection.send(item)
        except Stopped:
            raise
        except (StreamError, OSError) as error:
            if stopped.is_set():
                raise Stopped("the chain was stopped") from None
            told = describe_error(error)
            if isinstance(error, (OSError, TruncatedMessage)) or "without CLOSE" in told:
                left = isinstance(error, ConnectionError) or not ended.wait(SETTLE_SECONDS)
                told = reason(LEFT if left else "it ended the connection without CLOSE")
            raise ExternalError(told) from error
        finally:
            over.set()
        # Its CLOSE may be here before the feeder, which has just sent ours, could say so.
        early = not ended.wait(SETTLE_SECONDS) or _left_unread(sock)
    if early:
        # An early CLOSE is a failure if the process says so, and a gadget that left its input otherwise.
        raise ExternalError(reason(LEFT))
    feeder.join()


def _left_unread(sock: socket.socket) -> bool:
    """Whether the peer closed its socket on input that it had not read: the connection is then reset."""
    sock.settimeout(SETTLE_SECONDS)
    try:
        sock.recv(1)
    except ConnectionError:
        return True
    except TimeoutError:
        log.debug("the peer keeps its connection open after its CLOSE")
    return False


def _reason(process: subprocess.Popen[str], lines: _Lines) -> str:
    """Why a child ended: its last words, which for Python are the exception. Empty if it does not say so."""
    try:
        code = process.wait(EXIT_SECONDS)
    except subprocess.TimeoutExpired:
        return ""
    if code == 0:
        return ""
    lines.join(1.0)
    words = next((line for line in reversed(lines.last) if line.strip()), "")
    ended = f"signal {-code}" if code < 0 else f"exit status {code}"
    return f"its process ended with {ended}{': ' if words else ''}{words}"


def environment() -> dict[str, str]:
    """The environment of children: modules are found where this process finds them."""
    paths = [path for path in sys.path if path]
    return os.environ | {"PYTHONPATH": os.pathsep.join(paths), ERRORS_AT_ONCE: "1"}
