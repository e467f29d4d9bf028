"""Work that goes on behind the end of its scan, in a process that stays; its images are kept (`gadgets.jobs`)."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from typing import Any

from gadgets.behind import WAITING_BYTES, waits
from gadgets.jobs import Work
from gadgets.stream.connection import Connection
from gadgets.stream.endings import before_end
from gadgets.stream.errors import Stopped, describe_error
from gadgets.stream.notices import DETACHED, NOTICE

log = logging.getLogger(__name__)

# When the process ends, which its parent awaits for five seconds: so long for what is nearly done, and then for a fit
# that is told to end.
_END_SECONDS = 2.5, 1.5

# While a scan waits for room, it looks so often whether anybody waits for it.
_LOOK_SECONDS = 1.0


class _Worker:
    """One thread for the work of all detached scans of a process, in order. It keeps no process from ending.

    ending: whether the process is about to.
    """

    def __init__(self) -> None:
        self.ending = False
        self._queue: queue.SimpleQueue[tuple[Callable[[], None], int]] = queue.SimpleQueue()
        self._idle = threading.Condition()
        self._open = self._nbytes = 0
        self._thread: threading.Thread | None = None

    def submit(self, work: Callable[[], None], nbytes: int = 0, look: Callable[[int], None] | None = None) -> None:
        """Have work done that holds so many bytes, once there is room for them.

        look: called now and then until there is, with the bytes that are in the way; it may raise.
        """
        with self._idle:
            while look is not None and self._nbytes and self._nbytes + nbytes > WAITING_BYTES:
                look(self._nbytes)
                self._idle.wait(_LOOK_SECONDS)
            self._open += 1
            self._nbytes += nbytes
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=DETACHED, daemon=True)
                self._thread.start()
                before_end(self._end)
        self._queue.put((work, nbytes))

    def _run(self) -> None:
        while True:
            nbytes = self._next()
            with self._idle:
                self._open -= 1
                self._nbytes -= nbytes
                self._idle.notify_all()

    def _next(self) -> int:
        """Do what is next; the bytes that it held."""
        work, nbytes = self._queue.get()
        try:
            work()
        except Exception:
            log.exception("detached work failed")
        return nbytes

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
        self._over = self._told = False
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

    def submit(self, work: Callable[[], Any], nbytes: int) -> None:
        """Have images made, and kept, from data of so many bytes; waits while there is no room for them."""
        if self._error is not None:
            raise self._error
        self._submitted += 1
        self._connection.clock.pause(_worker.submit, partial(self._work, work), nbytes, self._look)

    def tell(self, text: str) -> None:
        """Say how far the work is."""
        log.log(NOTICE, "job %s: %s", self._job.job.id, text)
        self._job.tell(text)

    def abandoned(self) -> bool:
        """Whether nobody waits for what is made here."""
        return self._given_up or _worker.ending or (not self._over and self._connection.abandoned())

    def _look(self, nbytes: int) -> None:
        """Say that the scan waits. Raises what its work raised, and Stopped where nobody waits with it."""
        if self._error is not None:
            raise self._error
        if self.abandoned():
            raise Stopped("nobody waits for the scan any more")
        if not self._told:
            self._told = True
            log.log(NOTICE, "%s", waits(nbytes))

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
