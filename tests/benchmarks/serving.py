"""What the benchmarks of a server share: a server process, a scan in memory as wire bytes, one timed session."""

from __future__ import annotations

import contextlib
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import ismrmrd

from gadgets.stream.codec import encode
from gadgets.stream.control import Close, Config, Filename, Header
from gadgets.stream.transport import SocketTransport
from pipelines.clients.replay import find, replay, with_settings
from pipelines.clients.simulate import Scan, header_xml

CHUNK = 1 << 20


@contextlib.contextmanager
def server(*options: str) -> Iterator[tuple[int, int, float]]:
    """A server process: (port, process id, seconds until it listened)."""
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "pipelines", "serve", "--port", "0", *options], stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    line = process.stderr.readline()
    found = re.search(r"listening on \S+:(\d+)", line)
    assert found, line
    seconds = time.perf_counter() - began
    threading.Thread(target=process.stderr.read, daemon=True).start()
    try:
        yield int(found.group(1)), process.pid, seconds
    finally:
        process.terminate()
        process.wait(30)


def simulated(coils: int, *, repetitions: int = 10, **scan: Any) -> tuple[bytes, list[Any]]:
    """Header and items of a simulated scan of 256 x 256, two-fold oversampling."""
    header = header_xml(Scan(coils=coils, repetitions=repetitions, **scan))
    pipeline = with_settings(find("simulate"), {"simulate.noise_scan": "false"})
    return header, list(replay(pipeline, header, ()))


@dataclass
class Session:
    """One scan through a server: seconds in all, from the last byte sent to the last image, and what came."""

    seconds: float = 0.0
    latency: float = 0.0
    images: list[ismrmrd.Image] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)


def session(port: int, config: str | bytes, header: bytes, messages: Sequence[bytes]) -> Session:
    """Send `messages` as fast as they are taken, receiving at the same time."""
    opening = Filename(config) if isinstance(config, str) else Config(config)
    result, sent = Session(), [0.0]
    with socket.create_connection(("127.0.0.1", port)) as sock:
        transport = SocketTransport(sock)
        began = time.perf_counter()

        def write() -> None:
            for item in (opening, Header(header)):
                sock.sendall(b"".join(encode(item)))
            for message in messages:
                sock.sendall(message)
            sent[0] = time.perf_counter()
            sock.sendall(b"".join(encode(Close())))

        writer = threading.Thread(target=write)
        writer.start()
        last = began
        while items := transport.receive():
            for item in items:
                if isinstance(item, ismrmrd.Image):
                    result.images.append(item)
                    last = time.perf_counter()
                elif hasattr(item, "text"):
                    result.texts.append(item.text)
        result.seconds = time.perf_counter() - began
        result.latency = last - sent[0]
        writer.join()
    return result


def wire(items: Sequence[Any]) -> list[bytes]:
    """Items as bytes, in pieces of about a megabyte."""
    data = b"".join(bytes(buffer) for item in items for buffer in encode(item))
    return [data[i : i + CHUNK] for i in range(0, len(data), CHUNK)]


def pipeline_of(module: str, target: str) -> bytes:
    """XML of a pipeline with one external gadget."""
    return (
        "<configuration><version>2</version><readers/><writers/><stream><external>"
        f'<execute name="{module}" target="{target}" type="python"/><configuration/>'
        "</external></stream></configuration>"
    ).encode()
