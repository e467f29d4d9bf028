"""Images that are made while the scan goes on, and sent when they are done."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from types import TracebackType
from typing import Any

from gadgets.resident import Resident
from gadgets.stream.connection import Connection


class Behind:
    """Work for one connection in a resident thread, in order. As a context: the scan; it ends when all work is done.

    Where the scan fails, work that has not begun is dropped, and what runs is told by `abandoned`. What work raises is
    raised at the next `submit`, or at the end.
    """

    def __init__(self, connection: Connection, resident: Resident):
        self._connection = connection
        self._resident = resident
        self._sending = threading.Lock()
        self._given_up = False
        self._futures: list[Future[None]] = []

    def send(self, item: Any) -> None:
        """Send an item, from any thread."""
        with self._sending:
            self._connection.send(item)

    def submit(self, work: Callable[[], Any]) -> None:
        """Have an item made, and sent."""
        self._raise_failure()
        self._futures.append(self._resident.submit(self._work, work))

    def abandoned(self) -> bool:
        """Whether nobody waits for what is made here."""
        return self._given_up or self._connection.abandoned()

    def __enter__(self) -> Behind:
        return self

    def __exit__(self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        self._given_up = kind is not None
        try:
            if kind is None:
                for future in self._futures:
                    future.result()
        finally:
            self._given_up = True
            for future in self._futures:
                future.cancel()
            wait(self._futures)

    def _work(self, work: Callable[[], Any]) -> None:
        self.send(work())

    def _raise_failure(self) -> None:
        while self._futures and self._futures[0].done():
            self._futures.pop(0).result()
