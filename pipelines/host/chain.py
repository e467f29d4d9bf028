"""A chain: one thread for each gadget, joined by bounded channels.

One failing gadget stops the chain, and every thread ends. Images that had already left the last gadget are still
delivered; what was on its way is dropped, because images of half the data must not look like images.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from gadgets.stream.codec import message_id
from gadgets.stream.connection import Connection
from gadgets.stream.errors import Stopped, StreamError, describe_error
from gadgets.stream.ids import MessageId
from gadgets.stream.scan_times import ScanTimes

from .channel import Channel, ChannelTransport
from .loader import Loaded

log = logging.getLogger(__name__)


class EarlyReturn(StreamError):
    """A gadget returned although its input had not ended."""


class ChainFailed(StreamError):
    """A gadget failed; says which and why. The gadget's own exception is the cause."""

    def __init__(self, label: str, error: BaseException):
        super().__init__(f"[{label}] {describe_error(error)}")
        self.label = label
        self.__cause__ = error


@dataclass(frozen=True)
class Step:
    """A gadget that is ready to run as a thread of a chain. here: whether it works in this process."""

    label: str
    target: Callable[[Connection], Any]
    configuration: bytes
    copying: bool
    here: bool = True

    @classmethod
    def of(cls, loaded: Loaded) -> Step:
        """Gadgets that do not declare their properties were not made for us: keep a process boundary's manners."""
        own = hasattr(loaded.target, "bind")
        return cls(loaded.label, loaded.target, loaded.configuration, copying=not own)


class Chain:
    """Gadgets in threads. `put` items, close `input`; take from `output` until it ends; then `finish`.

    stays: whether this process serves on when the chain has ended. times: of the gadgets that work in this process, and
    of the first image where all do; `complete` is for who runs the chain to call.
    """

    def __init__(
        self, steps: Sequence[Step], header: bytes, *, on_failure: Callable[[ChainFailed], None], stays: bool = False
    ):
        self.header = header
        self.stays = stays
        self.failure: ChainFailed | None = None
        self.times = ScanTimes(step.label for step in steps if step.here)
        # What goes on in other processes cannot be seen, nor which data they have taken.
        self._here = all(step.here for step in steps)
        self._on_failure = on_failure
        self._lock = threading.Lock()
        self._channels = [Channel() for _ in range(len(steps) + 1)]
        self._threads = [
            threading.Thread(target=self._run, args=(step, i), name=f"gadget {step.label}", daemon=True)
            for i, step in enumerate(steps)
        ]

    @property
    def input(self) -> Channel:
        return self._channels[0]

    @property
    def output(self) -> Channel:
        return self._channels[-1]

    def start(self) -> None:
        """Let every gadget run."""
        for thread in self._threads:
            thread.start()

    def put(self, item: Any) -> None:
        """Put an item into `input`, and note when acquisitions came."""
        acquired = message_id(item) == MessageId.ACQUISITION
        self.input.put(item, time.monotonic() if acquired else 0.0)

    def left(self, item: Any) -> None:
        """Note that an item that was in `output` has gone to where it goes."""
        if self._here:
            self.times.left(item, self.output.taken)

    def stop(self) -> None:
        """End every gadget that waits for input or output, now; what is in `output` can still be taken."""
        for channel in self._channels[:-1]:
            channel.cancel()
        self.output.close()

    def finish(self, grace: float | None = None) -> bool:
        """Wait for every thread, or `grace` seconds in all; says whether all have ended."""
        deadline = None if grace is None else time.monotonic() + grace
        for thread in self._threads:
            thread.join(None if deadline is None else max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _run(self, step: Step, i: int) -> None:
        inbox, outbox = self._channels[i], self._channels[i + 1]
        transport = ChannelTransport(inbox, outbox, copying=step.copying)
        connection = Connection(
            transport,
            step.configuration,
            self.header,
            stays=self.stays,
            clock=self.times.clocks.get(step.label),
            times=self.times,
        )
        try:
            step.target(connection)
            if connection.unread():
                raise EarlyReturn("it returned before the end of its input")
            outbox.close()
        except Stopped:
            return
        except BaseException as error:
            self._fail(step.label, error)
        finally:
            connection.clock.stop()

    def _fail(self, label: str, error: BaseException) -> None:
        with self._lock:
            if self.failure is not None:
                return
            self.failure = ChainFailed(label, error)
        # Whoever runs the chain tells of the failure; the traceback is for who debugs the gadget.
        log.debug("%s", self.failure, exc_info=error)
        self.stop()
        self._on_failure(self.failure)
