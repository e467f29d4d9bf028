"""Work that goes on behind the end of its scan, in a process that stays; its images are kept (`gadgets.jobs`)."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from typing import Any

from gadgets.jobs import Work
from gadgets.stream.connection import Connection
from gadgets.stream.endings import before_end
from gadgets.stream.errors import Stopped, describe_error
from gadgets.stream.notices import DETACHED, NOTICE

log = logging.getLogger(__name__)

# When the process ends, which its parent awaits for five seconds: so long for what is nearly done, and then for a fit
# that is told to end.
_END_SECONDS = 2.5, 1.5


class _Worker:
    """One thread for the work of all detached scans of a process, in order. It keeps no process from ending.

    ending: whether the process is about to.
    """

    def __init__(self) -> None:
        self.ending = False
        self._queue: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._idle = threading.Condition()
        self._open = 0
        self._thread: threading.Thread | None = None

    def submit(self, work: Callable[[], None]) -> None:
        with self._idle:
            self._open += 1
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=DETACHED, daemon=True)
                self._thread.start()
                before_end(self._end)
        self._queue.put(work)

    def _run(self) -> None:
        while True:
            try:
                self._queue.get()()
            except Exception:
                log.exception("detached work failed")
            with self._idle:
                self._open -= 1
                self._idle.notify_all()

    def _end(self) -> None:
        """Let what is nearly done end, and tell the rest."""
        with self._idle:
            if not self._idle.wait_for(lambda: not self._open, _END_SECONDS[0]):
                self.ending = True
                self._idle.wait_for(lambda: not self._open, _END_SECONDS[1])


_worker = _Worker()


class Detached:
    """Work for one scan that goes on behind its end, one after the other, in order.

    Raises ValueError where the process ends with the scan.
    """

    def __init__(self, connection: Connection, begin: Callable[[], Work]):
        if not connection.stays:
            raise ValueError(
                "detach needs a process that stays when the scan ends: that of `deepgadgets serve` without --isolate"
            )
        self._connection = connection
        self._begin = begin
        self._submitted = 0
        self._given_up = False
        self._over = False
        self._error: Exception | None = None

    @contextmanager
    def scan(self, record: AbstractContextManager[Any]) -> Iterator[None]:
        """While the scan lasts. record: is entered at once, and left when all work is done.

        Where the scan fails, its work is dropped, and there is no job. What work raises until then is raised at the
        next `submit`.
        """
        with ExitStack() as stack:
            stack.enter_context(record)
            self._job = self._begin()
            kept = stack.pop_all()
        try:
            yield
        except BaseException as error:
            self._given_up = True
            _worker.submit(partial(self._end, kept, error))
            raise
        self._over = True
        if self._submitted:
            name = self._job.job.id
            log.log(NOTICE, "the images are made behind the scan, as job %s: deepgadgets fetch %s", name, name)
        _worker.submit(partial(self._end, kept, None))

    def send(self, item: Any) -> None:
        """Send an item to the client of the scan."""
        self._connection.send(item)

    def submit(self, work: Callable[[], Any]) -> None:
        """Have images made, and kept."""
        if self._error is not None:
            raise self._error
        self._submitted += 1
        _worker.submit(partial(self._work, work))

    def tell(self, text: str) -> None:
        """Say how far the work is."""
        log.log(NOTICE, "job %s: %s", self._job.job.id, text)
        self._job.tell(text)

    def abandoned(self) -> bool:
        """Whether nobody waits for what is made here."""
        return self._given_up or _worker.ending or (not self._over and self._connection.abandoned())

    def _work(self, work: Callable[[], Any]) -> None:
        if self._error is None:
            try:
                if self.abandoned():
                    raise Stopped
                self._job.add(work())
            except Stopped:
                self._error = Stopped("the server was stopped" if _worker.ending else "the client has gone")
            except Exception as error:
                self._error = error

    def _end(self, record: ExitStack, failure: BaseException | None) -> None:
        failure = failure or self._error
        try:
            if self._given_up or not self._submitted:
                self._job.discard()
            elif self._error is not None:
                log.error("job %s has failed: %s", self._job.job.id, describe_error(self._error))
                self._job.fail(describe_error(self._error))
            else:
                self._job.finish()
                log.log(NOTICE, "job %s is done", self._job.job.id)
        finally:
            record.__exit__(None if failure is None else type(failure), failure, None)
