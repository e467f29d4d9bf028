"""Worker processes, started as new interpreters and kept warm; whoever needs one waits in order."""

from __future__ import annotations

import collections
import contextlib
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from typing import Any

from . import frames

log = logging.getLogger(__name__)

# What a worker's environment adds to ours, unless ours says otherwise.
ENVIRONMENT = {
    # Gadgets share the cores with each other: the numerics' threads must sleep when they wait, not spin.
    "OMP_WAIT_POLICY": "PASSIVE",
}
READY_SECONDS = 15.0
RESTART_SECONDS = 1.0
EXIT_SECONDS = 5.0


class Closing(Exception):
    """The server is shutting down; no more scans are begun."""


class Worker:
    """One worker process, seen from the parent."""

    def __init__(self, name: str, settings: Mapping[str, Any]):
        self.name = name
        self.control, theirs = socket.socketpair()
        with theirs:
            command = [sys.executable, "-m", "pipelines.host.worker", str(theirs.fileno())]
            # Its own process group: an interrupt typed at the terminal stops the server, which lets scans finish.
            self.process = subprocess.Popen(
                [*command, json.dumps(dict(settings) | {"name": name})],
                env=ENVIRONMENT | os.environ,
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        self._sessions = 0
        self._readies = 0

    def begin(self, client: socket.socket) -> socket.socket:
        """Hand a client over; returns the socket on which frames for it come. Raises OSError if the worker has gone."""
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                socket.send_fds(self.control, [b"S"], [client.fileno(), theirs.fileno()])
            except OSError:
                ours.close()
                raise
        self._sessions += 1
        return ours

    def await_ready(self) -> bool:
        """Wait until the worker has ended its session; False if it has gone, or does not end it."""
        self.control.settimeout(READY_SECONDS)
        while self._readies <= self._sessions:
            try:
                frame = frames.receive(self.control)
            except TimeoutError:
                return False
            if frame is None:
                return False
            self._readies += 1
        return True

    def alive(self) -> bool:
        return self.process.poll() is None

    def obituary(self) -> str:
        """How the process ended."""
        try:
            code = self.process.wait(1.0)
        except subprocess.TimeoutExpired:
            return "the worker process of this scan left it"
        if code < 0:
            return f"the worker process of this scan was killed ({signal.Signals(-code).name})"
        return f"the worker process of this scan ended (exit status {code})"

    def end(self, *, kill: bool = False) -> None:
        """Let the process end, or make it."""
        self.control.close()
        if kill:
            self.process.kill()
        try:
            self.process.wait(EXIT_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        # What it had started is of its group, and may not notice that it has gone.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)


class Ticket:
    """A place in the order of service. `ahead`: scans that were served or waited before it when it was taken."""

    def __init__(self, ahead: int):
        self.ahead = ahead


class Pool:
    """A fixed number of workers. One that dies, or does not end a session, is replaced."""

    def __init__(self, size: int, settings: Mapping[str, Any]):
        self._settings = settings
        self._changed = threading.Condition()
        self._count = 0
        self._idle: collections.deque[Worker] = collections.deque()
        self._waiting: collections.deque[Ticket] = collections.deque()
        self._closing = False
        for _ in range(size):
            self._idle.append(self._spawn())

    def _spawn(self) -> Worker:
        self._count += 1
        return Worker(f"worker {self._count}", self._settings)

    @property
    def waiting(self) -> int:
        """How many scans wait for a worker; those that are about to take a free one do not."""
        with self._changed:
            return max(0, len(self._waiting) - len(self._idle))

    def queue(self) -> Ticket:
        """A place in the order of service; `acquire` or `leave` must follow."""
        with self._changed:
            ticket = Ticket(max(0, len(self._waiting) + 1 - len(self._idle)))
            self._waiting.append(ticket)
            return ticket

    def leave(self, ticket: Ticket) -> None:
        """Give up a place."""
        with self._changed:
            if ticket in self._waiting:
                self._waiting.remove(ticket)
            self._changed.notify_all()

    def acquire(self, ticket: Ticket) -> Worker:
        """A worker, when it is the ticket's turn. Raises Closing when the server shuts down meanwhile."""
        with self._changed:
            try:
                while not (self._idle and self._waiting[0] is ticket) and not self._closing:
                    self._changed.wait()
                if self._closing:
                    raise Closing
                worker = self._idle.popleft()
            finally:
                # Under the same lock: a scan that has a worker must not count among those that wait for one.
                self.leave(ticket)
        return worker if worker.alive() else self._replace(worker)

    def release(self, worker: Worker) -> None:
        """Give a worker back when its session has ended."""
        if not worker.await_ready():
            worker = self._replace(worker)
        with self._changed:
            self._idle.append(worker)
            self._changed.notify_all()

    def _replace(self, worker: Worker) -> Worker:
        log.warning("%s is replaced", worker.name)
        worker.end(kill=True)
        while True:
            try:
                return self._spawn()
            except OSError as error:
                # Out of processes or descriptors: giving up would cost a place for good.
                log.error("no worker can be started, trying again: %s", error)
                time.sleep(RESTART_SECONDS)

    def refuse(self) -> None:
        """Let nobody begin any more."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()

    def close(self) -> None:
        """End all workers; every session must have been released."""
        for worker in self._idle:
            worker.end()
