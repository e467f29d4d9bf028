"""Images that are made while the scan goes on, and sent when they are done."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from gadgets.resident import Resident
from gadgets.stream.connection import Connection
from gadgets.stream.notices import NOTICE

log = logging.getLogger(__name__)

#: So much data may wait in memory for work behind scans, and one item whatever its size: a volume of 256^3 points and
#: 32 coils. Scans wait for room, as gadgets do for those that follow them.
WAITING_BYTES = 4 << 30


class Behind:
    """Work for one scan in a resident thread, in order."""

    def __init__(self, connection: Connection, resident: Resident):
        self._connection = connection
        self._resident = resident
        self._sending = threading.Lock()
        self._given_up = self._told = False
        self._futures: list[Future[None]] = []
        self._nbytes: list[int] = []

    @contextmanager
    def scan(self, record: AbstractContextManager[Any]) -> Iterator[None]:
        """While the scan lasts, and until all work is done, and `record` is left.

        Where the scan fails, its work is dropped. What work raises is raised at the next `submit`, or at the end.
        """
        with record:
            try:
                yield
                for future in self._futures:
                    future.result()
            finally:
                self._given_up = True
                for future in self._futures:
                    future.cancel()
                wait(self._futures)

    def send(self, item: Any) -> None:
        """Send an item to the client of the scan, from any thread."""
        with self._sending:
            self._connection.send(item)

    def submit(self, work: Callable[[], Any], nbytes: int) -> None:
        """Have images made, and sent, from data of so many bytes; waits while there is no room for them."""
        while self._futures and (self._futures[0].done() or sum(self._nbytes) + nbytes > WAITING_BYTES):
            if not (self._told or self._futures[0].done()):
                self._told = True
                self.tell(waits(sum(self._nbytes)))
            self._futures.pop(0).result()
            self._nbytes.pop(0)
        self._futures.append(self._resident.submit(self._send_made, work))
        self._nbytes.append(nbytes)

    def _send_made(self, work: Callable[[], Any]) -> None:
        self._connection.clock.start()
        try:
            self.send(work())
        finally:
            self._connection.clock.stop()

    def tell(self, text: str) -> None:
        """Say how far the work is."""
        log.log(NOTICE, "%s", text)

    def abandoned(self) -> bool:
        """Whether nobody waits for what is made here."""
        return self._given_up or self._connection.abandoned()


def waits(nbytes: int) -> str:
    """What to tell of a scan that waits for room."""
    return f"the scan waits: images of {nbytes / (1 << 30):.1f} GiB of data are to be made before"
