"""The server: listens, and hands every client to a worker process. It imports neither numpy nor torch.

The parent owns each client's socket for writing: workers send it whole messages, and when one dies it still tells
the client why, with TEXT and CLOSE.
"""

from __future__ import annotations

import json
import logging
import signal
import socket
import threading
import time
from collections.abc import Mapping
from types import FrameType
from typing import Any

from . import frames
from .pool import Closing, Pool, Ticket, Worker

log = logging.getLogger(__name__)

LINGER_SECONDS = 5.0
BACKLOG = 128


class Server:
    """Serves scans until `stop`; `stop` lets running ones finish."""

    def __init__(
        self, host: str, port: int, *, workers: int, max_waiting: int, idle_seconds: float, settings: Mapping[str, Any]
    ):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, port), family=family, backlog=BACKLOG)
        self.address: tuple[str, int] = self._listener.getsockname()[:2]
        self._idle_seconds = idle_seconds
        self._max_waiting = max_waiting
        self._stopping = False
        self._sessions: set[threading.Thread] = set()
        self._pool = Pool(workers, settings)

    def serve(self) -> None:
        """Accept clients until `stop` is called, then wait for running scans."""
        # Said only now that signals can end it as they should.
        log.info("listening on %s:%d", *self.address)
        try:
            while not self._stopping:
                try:
                    client, address = self._listener.accept()
                except OSError:
                    if self._stopping:
                        break
                    # Out of descriptors, say: what is running must go on, and end.
                    log.exception("a client could not be accepted")
                    time.sleep(0.5)
                    continue
                # The place is taken here: threads need not start to run in the order in which clients came.
                ticket = self._pool.queue() if self._pool.waiting < self._max_waiting else None
                thread = threading.Thread(target=self._session, args=(client, f"{address[0]}:{address[1]}", ticket))
                self._sessions.add(thread)
                thread.start()
        finally:
            self._listener.close()
            self._pool.refuse()
            for thread in list(self._sessions):
                thread.join()
            self._pool.close()

    def stop(self, *_: int | FrameType | None) -> None:
        """Accept no more clients. Safe to call from a signal handler."""
        self._stopping = True
        # Unlike close, this wakes a waiting accept.
        try:
            self._listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            log.debug("not listening any more")

    def stop_on_signals(self) -> None:
        """Stop on SIGTERM and SIGINT."""
        signal.signal(signal.SIGTERM, self.stop)
        signal.signal(signal.SIGINT, self.stop)

    def _session(self, client: socket.socket, name: str, ticket: Ticket | None) -> None:
        try:
            with client:
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                client.settimeout(self._idle_seconds)
                self._serve_client(client, name, ticket)
                _linger(client)
        except Exception:
            log.exception("%s: the session failed", name)
        finally:
            if ticket is not None:
                self._pool.leave(ticket)
            self._sessions.discard(threading.current_thread())

    def _serve_client(self, client: socket.socket, name: str, ticket: Ticket | None) -> None:
        if ticket is None:
            self._refuse(client, name, f"{self._max_waiting} scans are waiting already; no more are accepted")
            return
        if ticket.ahead:
            log.info("%s: waits, %d ahead", name, ticket.ahead)
            self._tell(client, frames.text_message("INFO", f"all workers are busy; {ticket.ahead} before this scan"))
        try:
            worker = self._pool.acquire(ticket)
        except Closing:
            self._refuse(client, name, "the server is shutting down")
            return
        try:
            self._relay(worker, client, name)
            _end(client)
        finally:
            self._pool.release(worker)

    def _relay(self, worker: Worker, client: socket.socket, name: str) -> None:
        try:
            output = worker.begin(client)
        except OSError:
            self._refuse(client, name, worker.obituary())
            return
        with output:
            while frame := frames.receive(output):
                kind, payload = frame
                if kind == frames.DONE:
                    _report(name, json.loads(payload))
                    return
                if not self._tell(client, payload):
                    # Closing our end tells the worker that nobody listens.
                    return
        self._refuse(client, name, worker.obituary())

    def _tell(self, client: socket.socket, message: bytes | bytearray) -> bool:
        try:
            client.sendall(message)
        except OSError as error:
            log.warning("a client takes no messages: %s", error)
            return False
        return True

    def _refuse(self, client: socket.socket, name: str, why: str) -> None:
        log.error("%s: %s", name, why)
        self._tell(client, frames.text_message("ERROR", why) + frames.close_message())
        _end(client)


def _report(name: str, outcome: Mapping[str, Any]) -> None:
    log.log(
        logging.ERROR if outcome["error"] else logging.INFO,
        "%s: %s: %d acquisitions, %d images, %.2f s%s",
        name,
        outcome["pipeline"] or "no pipeline",
        outcome["acquisitions"],
        outcome["images"],
        outcome["seconds"],
        f": {outcome['error']}" if outcome["error"] else "",
    )


def _end(client: socket.socket) -> None:
    try:
        client.shutdown(socket.SHUT_WR)
    except OSError:
        log.debug("the client had gone")


def _linger(client: socket.socket) -> None:
    """Drop what the client still sends, for a while: closing on unread data would destroy our last messages."""
    deadline = time.monotonic() + LINGER_SECONDS
    scratch = bytearray(1 << 20)
    try:
        while (left := deadline - time.monotonic()) > 0:
            client.settimeout(left)
            if not client.recv_into(scratch):
                return
    except OSError:
        return
