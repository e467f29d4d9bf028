"""Bounded queues between gadgets: what makes a slow gadget slow the scanner's stream instead of filling memory."""

from __future__ import annotations

import io
import threading
from collections import deque
from typing import Any

import ismrmrd
from gadgetron.types.acquisition_bucket import AcquisitionBucket
from gadgetron.types.image_array import ImageArray
from gadgetron.types.recon_data import ReconData

from gadgets.stream.blocks import AcquisitionBlock
from gadgets.stream.bucket import Bucket
from gadgets.stream.codec import encode
from gadgets.stream.errors import Stopped
from gadgets.stream.transport import Readable, decoded

CAPACITY_BYTES = 16 << 20
_SMALL_ITEM = 1 << 10


class Channel:
    """Items from one gadget to the next.

    Holds `capacity` bytes, and always at least one item, whatever its size. `close` ends it when what it holds has
    been taken; `cancel` ends it at once for both sides, who then get Stopped.

    taken: when the last acquisition came that had a part in anything that was got so far; 0 where none had.
    """

    def __init__(self, capacity: int = CAPACITY_BYTES):
        self.capacity = capacity
        self._items: deque[tuple[Any, int]] = deque()
        self._nbytes = 0
        self._came = self.taken = 0.0
        self._closed = False
        self._cancelled = False
        self._changed = threading.Condition()

    def put(self, item: Any, came: float = 0.0) -> None:
        """Add an item, waiting while the channel is full. Raises Stopped when it was cancelled or closed.

        came: when (`time.monotonic`) the last acquisition came that had a part in it, 0 where none had.
        """
        nbytes = size_of(item)
        with self._changed:
            while self._items and self._nbytes + nbytes > self.capacity and not self._closed:
                self._changed.wait()
            if self._closed:
                raise Stopped("the chain was stopped")
            self._items.append((item, nbytes))
            self._nbytes += nbytes
            self._came = max(self._came, came)
            self._changed.notify_all()

    def get(self) -> list[Any]:
        """All items there are, waiting for at least one; empty at the end. Raises Stopped when it was cancelled."""
        with self._changed:
            while not self._items and not self._closed:
                self._changed.wait()
            if self._cancelled:
                raise Stopped("the chain was stopped")
            items = [item for item, _ in self._items]
            self._items.clear()
            self._nbytes = 0
            self.taken = self._came
            self._changed.notify_all()
            return items

    def close(self) -> None:
        """Take no more; what is there can still be got."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    @property
    def cancelled(self) -> bool:
        return self._cancelled

    def cancel(self) -> None:
        """Drop everything; whoever waits here, or comes later, gets Stopped."""
        with self._changed:
            self._closed = self._cancelled = True
            self._items.clear()
            self._changed.notify_all()


class ChannelTransport:
    """A gadget's connection in this process: items from one channel, to another.

    `copying`: what the gadget sends is taken through the codec, as a process boundary would do it. Gadgets that were
    written for such a boundary may change an item after they have sent it.
    """

    def __init__(self, inbox: Channel, outbox: Channel, *, copying: bool):
        self.inbox = inbox
        self.outbox = outbox
        self.copying = copying

    def receive(self) -> list[Any]:
        return self.inbox.get()

    def send(self, item: Any) -> None:
        if self.copying:
            self.send_bytes(b"".join(encode(item)))
        else:
            self.outbox.put(item, self.inbox.taken)

    def send_bytes(self, data: bytes) -> None:
        for item in decoded(data):
            self.outbox.put(item, self.inbox.taken)

    def readable(self) -> Readable:
        return io.BytesIO()

    def abandoned(self) -> bool:
        return self.inbox.cancelled

    def want_raw(self, mid: int) -> None:
        """Items have no bytes here; the connection encodes the ones that a reader asks for."""


def size_of(item: Any) -> int:
    """About how much memory an item holds, in bytes."""
    if isinstance(item, AcquisitionBlock):
        return item.nbytes
    if isinstance(item, (ismrmrd.Acquisition, ismrmrd.Image, ismrmrd.Waveform, ImageArray)):
        return _SMALL_ITEM + int(item.data.nbytes)
    if isinstance(item, Bucket):
        return sum(block.nbytes for part in ("data", "ref") for block in item.blocks(part))
    if isinstance(item, AcquisitionBucket):
        return sum(size_of(acquisition) for acquisition in [*item.data, *item.ref])
    if isinstance(item, ReconData):
        buffers = [b for bit in item.bits for b in (bit.data, bit.ref) if b is not None]
        return sum(int(b.data.nbytes) for b in buffers)
    return _SMALL_ITEM
