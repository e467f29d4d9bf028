"""A client: sends a scan to a server and receives what comes back, both at once."""

from __future__ import annotations

import contextlib
import itertools
import logging
import re
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import ismrmrd

from gadgets.stream.blocks import AcquisitionBlock
from gadgets.stream.codec import encode
from gadgets.stream.control import Close, Config, Filename, Header, Query, Response, Text
from gadgets.stream.errors import StreamError
from gadgets.stream.limits import Limits
from gadgets.stream.transport import SocketTransport, send_all

from .pace import factor, paced

logger = logging.getLogger(__name__)

DEFAULT_PORT = 9002
PATIENCE_S = 5.0
TIMEOUT_S = 600.0
# After the server's CLOSE: how long a writer that has sent everything may need to notice that it has.
_GRACE_S = 1.0

# Gadgetron's "[.../node] ERROR: what", and the level in eight characters that FIRE puts before the text.
_ERROR = re.compile(r"(?:\[[^\]\n]*\]\s*)?(?:ERROR\b|CRITICAL)")
_LEVEL = re.compile(r"(?:(?:DEBUG|INFO|WARNING|ERROR)\b|CRITICAL):?\s*")


class SendError(StreamError):
    """A session failed; the text says why in one line, in the server's words where it gave any."""


def is_error(text: str) -> bool:
    """Whether a TEXT reports a failure, by Gadgetron's or by FIRE's manner of saying so."""
    return _ERROR.match(text) is not None


def without_level(text: str) -> str:
    """A TEXT without the level that FIRE's manner puts before it."""
    found = _LEVEL.match(text)
    return text[found.end() :] if found else text


def send(
    items: Iterable[Any],
    header: bytes | None,
    *,
    config_name: str | None = None,
    config_xml: bytes | None = None,
    host: str = "127.0.0.1",
    port: int = DEFAULT_PORT,
    pace: str | float | None = None,
    on_text: Callable[[str], None] | None = None,
    limits: Limits | None = None,
    timeout: float = TIMEOUT_S,
) -> Sending:
    """Send a scan; iterate over the result for what the server sends back.

    items: blocks, acquisitions, waveforms, or anything else that has a message; header: ISMRMRD XML, None to send
    none; config_name or config_xml: the pipeline, by a name that the server knows or as XML; pace: "real", how many
    times faster, or None; on_text: called with every TEXT (default: logged); timeout: seconds without any progress.
    """
    if (config_name is None) == (config_xml is None):
        raise ValueError("a session needs either config_name or config_xml")
    opening: list[Any] = [Filename(config_name) if config_name is not None else Config(config_xml or b"")]
    if header is not None:
        opening.append(Header(header))
    return Sending(items, opening, (host, port), factor(pace), on_text or _log, limits, timeout)


class Sending:
    """One session. Iterate once: images and other items as they come, until the server's CLOSE.

    n_sent: acquisitions sent so far; n_images: images received so far.
    Raises SendError when the server cannot be reached, reports an error, goes away without CLOSE, closes before
    everything was sent, or does nothing for `timeout` seconds; and whatever the source of the items raises.
    """

    def __init__(
        self,
        items: Iterable[Any],
        opening: list[Any],
        address: tuple[str, int],
        times_faster: float | None,
        on_text: Callable[[str], None],
        limits: Limits | None,
        timeout: float,
    ):
        self.n_sent = 0
        self.n_images = 0
        self._stopped = threading.Event()
        self._items = items if times_faster is None else paced(items, times_faster, self._stopped.wait)
        self._opening = opening
        self._address = address
        self._on_text = on_text
        self._limits = limits
        self._timeout = timeout
        self._sent_all = False
        self._failure: BaseException | None = None
        self._progress = time.monotonic()

    def __iter__(self) -> Iterator[Any]:
        with connect(*self._address) as sock:
            sock.settimeout(self._timeout)
            transport = SocketTransport(sock, self._limits)
            writer = threading.Thread(target=self._write, args=(sock,), name="send", daemon=True)
            writer.start()
            errors: list[str] = []
            try:
                while received := self._receive(transport, writer, errors):
                    for item in received:
                        if isinstance(item, Text):
                            self._on_text(item.text)
                            if is_error(item.text):
                                errors.append(without_level(item.text))
                            continue
                        self.n_images += isinstance(item, ismrmrd.Image)
                        yield item
                writer.join(_GRACE_S)
                self._judge(errors)
                if not self._sent_all:
                    raise SendError(f"the server closed before everything was sent ({self._counts()})")
            finally:
                self._stopped.set()
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)
                writer.join(_GRACE_S)

    def _receive(self, transport: SocketTransport, writer: threading.Thread, errors: list[str]) -> list[Any]:
        while True:
            try:
                received = transport.receive()
                self._progress = time.monotonic()
                return received
            except TimeoutError:
                # A writer at work notices by itself that the server has stopped reading.
                if not writer.is_alive() and time.monotonic() - self._progress >= self._timeout:
                    errors.append(f"the server has sent nothing for {self._timeout:g} s")
                    self._judge(errors)
            except (StreamError, OSError) as error:
                self._judge(errors)
                lost = isinstance(error, ConnectionError)
                what = "the connection to the server was lost" if lost else str(error).replace("the peer", "the server")
                raise SendError(f"{what} ({self._counts()})") from error

    def _judge(self, errors: list[str]) -> None:
        """Raise what went wrong, the server's own account of it first."""
        if errors:
            raise SendError("; ".join(errors))
        if self._failure is not None:
            raise self._failure

    def _counts(self) -> str:
        return f"{self.n_sent} acquisitions sent, {self.n_images} images received"

    def _write(self, sock: socket.socket) -> None:
        try:
            for item in itertools.chain(self._opening, self._items, [Close()]):
                if self._stopped.is_set() or not self._deliver(sock, item):
                    return
            self._sent_all = True
            self._progress = time.monotonic()
        except BaseException as error:
            self._fail(sock, error)

    def _deliver(self, sock: socket.socket, item: Any) -> bool:
        buffers = encode(item)
        try:
            send_all(sock, buffers)
        except TimeoutError:
            self._fail(sock, SendError(f"the server has read nothing for {self._timeout:g} s ({self._counts()})"))
            return False
        except OSError:
            return False  # the server has gone; what it said before is still being read
        if isinstance(item, (AcquisitionBlock, ismrmrd.Acquisition)):
            self.n_sent += len(item) if isinstance(item, AcquisitionBlock) else 1
        return True

    def _fail(self, sock: socket.socket, error: BaseException) -> None:
        self._failure = error
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)


def address_of(option: str, text: str) -> tuple[str, int]:
    """Host and port in `HOST:PORT`. Raises ValueError, naming the option, for another form."""
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdigit():
        raise ValueError(f"{option} takes HOST:PORT; got {text!r}")
    return host.strip("[]"), int(port)


def connect(host: str, port: int) -> socket.socket:
    """Connect, trying again for a few seconds while nothing listens. Raises SendError."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            sock = socket.create_connection((host, port), timeout=max(0.1, deadline - time.monotonic()))
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return sock
        except socket.gaierror as error:
            raise SendError(f"there is no computer called {host!r}: {error.strerror}") from None
        except ConnectionRefusedError:
            if time.monotonic() >= deadline:
                raise SendError(f"nothing listens at {host}:{port} (tried for {PATIENCE_S:g} s)") from None
            time.sleep(0.1)
        except (OSError, OverflowError) as error:
            raise SendError(f"{host}:{port} cannot be reached: {error}") from None


def query(host: str, port: int, text: str, *, timeout: float = 10.0) -> str:
    """Ask a server something, as `gadgetron::info`. Raises SendError."""
    with connect(host, port) as sock:
        sock.settimeout(timeout)
        transport = SocketTransport(sock)
        try:
            send_all(sock, [*encode(Query(1, text)), *encode(Close())])
            while received := transport.receive():
                for item in received:
                    if isinstance(item, Response) and item.correlation_id == 1:
                        return item.text
                    if isinstance(item, Text) and is_error(item.text):
                        raise SendError(without_level(item.text))
        except TimeoutError:
            raise SendError(f"the server did not answer {text!r} within {timeout:g} s") from None
        except OSError as error:
            raise SendError(f"the connection to the server was lost: {error}") from None
    raise SendError(f"the server closed without answering {text!r}")


def _log(text: str) -> None:
    level = logging.ERROR if is_error(text) else logging.WARNING if text.startswith("WARNING") else logging.INFO
    logger.log(level, "%s", without_level(text))
