"""Where the time of a scan went, for who runs its chain to measure, and for its gadgets to note."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from typing import Any

from .clock import Clock
from .codec import message_id
from .errors import describe_error
from .ids import MessageId

log = logging.getLogger(__name__)

_IMAGES = (MessageId.IMAGE, MessageId.IMAGE_ARRAY)


class ScanTimes:
    """Times of one scan through a chain; nothing is known of them where each gadget is a process of its own.

    clocks: of each gadget in this process, by its name in the pipeline, in order: at work is who neither waits for
    input nor for what it sends to be taken. first_image: seconds from the arrival of the last acquisition that was
    taken on the way to the first image until that had been sent, None where there was none.
    """

    def __init__(self, gadgets: Iterable[str] = ()):
        self.clocks = {name: Clock() for name in gadgets}
        self.first_image: float | None = None
        self._listeners: list[Callable[[], None]] = []

    def left(self, item: Any, came: float) -> None:
        """An item has left the chain. came: when (`time.monotonic`) the last acquisition did, 0 where none is known."""
        if self.first_image is None and came and message_id(item) in _IMAGES:
            self.first_image = time.monotonic() - came

    def when_complete(self, listener: Callable[[], None]) -> None:
        """Have `listener` called when nothing changes any more; never where nobody runs the chain."""
        self._listeners.append(listener)

    def complete(self) -> None:
        """For who runs the chain, when that has ended and its client has all there is."""
        while self._listeners:
            try:
                self._listeners.pop(0)()
            except Exception as error:
                # The scan has ended, and well: this is no failure of it.
                log.error("what was to be noted of a scan's times was not: %s", describe_error(error))
