"""A real server as a process of its own, raw clients, and counts of what both hold."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ismrmrd

from gadgets.stream.codec import Decoder, encode
from gadgets.stream.control import Close, Text

ROOT = Path(__file__).parents[2]
START_S = 60.0
TIMEOUT_S = 20.0


def command(*arguments: str) -> list[str]:
    """`deepgadgets serve` on a free port, with what the tests' gadgets need."""
    return [sys.executable, "-m", "pipelines", "serve", "--port", "0", "--allow", "tests.support.gadgets", *arguments]


def environment(**more: str) -> dict[str, str]:
    """The environment of servers: modules are found as the tests find them."""
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    return os.environ | {"PYTHONPATH": path} | more


class Server:
    """A running server: its process, its port, and what it has logged."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path):
        self.process = process
        self._log = log
        self.port = int(self.wait_for_log(r"listening on [\d.]+:(\d+)", START_S))

    @property
    def log(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace")

    def wait_for_log(self, pattern: str, seconds: float = TIMEOUT_S) -> str:
        """The first group of a pattern in the log, waiting until it is there."""

        def found() -> re.Match[str] | None:
            assert self.process.poll() is None, f"the server has ended: {self.log}"
            return re.search(pattern, self.log)

        match = wait_until(found, seconds, f"the log has no {pattern!r}")
        return match[match.re.groups and 1]

    @property
    def workers(self) -> list[int]:
        """The processes that the server has started, eldest first."""
        return children(self.process.pid)

    def client(self, timeout: float = TIMEOUT_S) -> Client:
        return Client(self.port, timeout)

    def ask(self, *items: Any, timeout: float = TIMEOUT_S) -> Reply:
        """Send items (or bytes) at once, and read to the end."""
        with self.client(timeout) as client:
            client.send(*items)
            return client.read()

    def stop(self) -> int:
        """Ask it to end; its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(START_S)


@contextlib.contextmanager
def serving(folder: Path, *arguments: str, **environ: str) -> Iterator[Server]:
    """A server with one worker, unless `arguments` say otherwise; it works in `folder`, and logs there."""
    log = folder / "server.log"
    with log.open("wb") as stream:
        process = subprocess.Popen(
            command(*arguments),
            cwd=folder,
            env=environment(**environ),
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
        )
    try:
        yield Server(process, log)
    finally:
        orphans = children(process.pid)
        process.terminate()
        try:
            process.wait(10.0)
        except subprocess.TimeoutExpired:
            for pid in (*orphans, process.pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            process.wait()


@dataclass
class Reply:
    """What came from a server until it ended the connection."""

    items: list[Any] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def texts(self) -> list[str]:
        return [item.text for item in self.items if isinstance(item, Text)]

    @property
    def errors(self) -> list[str]:
        return [text for text in self.texts if text.startswith("ERROR   ")]

    @property
    def images(self) -> list[ismrmrd.Image]:
        return [item for item in self.items if isinstance(item, ismrmrd.Image)]

    @property
    def closed(self) -> bool:
        """Whether CLOSE was the last word."""
        return [isinstance(item, Close) for item in self.items] == [False] * (len(self.items) - 1) + [True]

    def assert_failed(self, *words: str) -> None:
        """One error, which holds all the words, then CLOSE."""
        assert len(self.errors) == 1, f"{len(self.errors)} errors in {self.texts}, {len(self.images)} images"
        for word in words:
            assert word in self.errors[0], self.errors[0]
        assert "\n" not in self.errors[0], self.errors[0]
        assert self.closed, f"no CLOSE at the end, but {self.items[-1]}"


class Client:
    """A client that sends what it is told to, right or wrong."""

    def __init__(self, port: int, timeout: float = TIMEOUT_S):
        self.started = time.monotonic()
        self.deadline = self.started + timeout
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self._decoder = Decoder()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *exception: object) -> None:
        self.socket.close()

    def send(self, *items: Any) -> None:
        """Send items, or bytes as they are."""
        for item in items:
            self.socket.sendall(item if isinstance(item, bytes) else b"".join(encode(item)))

    def end(self) -> None:
        """Close the sending side, without any word."""
        self.socket.shutdown(socket.SHUT_WR)

    def next(self) -> Any:
        """The next item; None when the server has ended the connection, between two messages."""
        while (item := self._decoder.next()) is None:
            left = self.deadline - time.monotonic()
            assert left > 0, "the server does not come to an end"
            self.socket.settimeout(left)
            n = self.socket.recv_into(self._decoder.get_buffer())
            if not n:
                self._decoder.eof()
                return None
            self._decoder.received(n)
        return item

    def read(self) -> Reply:
        """Everything until the server ends the connection."""
        items = list(iter(self.next, None))
        return Reply(items, time.monotonic() - self.started)


# -- pipelines as clients send them


def node(name: str, module: str = "tests.support.gadgets", /, **properties: Any) -> str:
    """An `external` element that executes `name`; by default one of the tests' own gadgets."""
    inner = "".join(f'<property name="{key}" value="{value}"/>' for key, value in properties.items())
    execute = f'<execute name="{module}" target="{name}" type="python"/>'
    return f"<external>{execute}<configuration>{inner}</configuration></external>"


def pipeline(*nodes: str, head: str = "") -> bytes:
    """A configuration of nodes; without writers everything leaves it."""
    stream = f"<stream>{''.join(nodes)}</stream>"
    return f"<configuration><version>2</version>{head}{stream}</configuration>".encode()


# -- counts


def children(pid: int) -> list[int]:
    """The child processes of a process, in the order of their numbers."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if int(stat.read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(int(stat.parent.name))
    return sorted(found)


def runs(pid: int) -> bool:
    """Whether a process does anything: not one that has ended and waits for its parent to take notice."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        # Its other threads may outlive the first.
        return state != "Z" or len(os.listdir(f"/proc/{pid}/task")) > 1
    except OSError:
        return False


@dataclass(frozen=True)
class Held:
    """What a process holds."""

    threads: int
    descriptors: int
    children: int

    @classmethod
    def by(cls, pid: int) -> Held:
        tasks, descriptors = (os.listdir(f"/proc/{pid}/{name}") for name in ("task", "fd"))
        return cls(len(tasks), len(descriptors), len(children(pid)))

    def covers(self, other: Held) -> bool:
        return (
            self.threads >= other.threads and self.descriptors >= other.descriptors and self.children >= other.children
        )


def held(server: Server) -> dict[int, Held]:
    """What the server and each of its workers hold, by process."""
    return {pid: Held.by(pid) for pid in (server.process.pid, *server.workers)}


def wait_until(condition: Callable[[], Any], seconds: float = TIMEOUT_S, otherwise: str = "") -> Any:
    """What the condition gives as soon as it is true."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, otherwise or "it did not happen"
        time.sleep(0.02)
    return found


def assert_in_order(values: Sequence[Any]) -> None:
    assert list(values) == sorted(values)
