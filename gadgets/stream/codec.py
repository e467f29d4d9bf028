"""The codec: bytes in, items out, and back. It holds no socket, no thread and no clock.

Feed a `Decoder` whatever bytes have arrived, in pieces of any size, and take items from it until it has no more.
Acquisitions come out as blocks that view the receive buffer; buffers are used again once no view of them is left.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Container
from typing import Any

import ismrmrd
import numpy as np
from gadgetron.types.acquisition_bucket import AcquisitionBucket
from gadgetron.types.image_array import ImageArray
from gadgetron.types.recon_data import ReconData

from . import acquisition, bucket, control, image, image_array, recon_data, waveform
from .blocks import HEAD_BYTES, AcquisitionBlock, Array
from .errors import ProtocolError, TruncatedMessage, UnsupportedItem
from .ids import MessageId, describe
from .limits import Limits
from .primitives import Buffer, Reader, buffer_of

BUFFER_BYTES = 4 << 20
# Asked for at a time: what fits the processor's cache, so that a block is still there when it is used.
RECEIVED_BYTES = 4 << 20
POOLED_BUFFERS = 8
# What sys.getrefcount says of a pooled buffer that nobody views: the pool's reference, and its own argument.
_UNUSED = 2

READERS: dict[int, Callable[[Limits], Reader[Any]]] = {
    MessageId.FILENAME: control.read_filename,
    MessageId.CONFIG: control.read_config,
    MessageId.HEADER: control.read_header,
    MessageId.CLOSE: control.read_close,
    MessageId.TEXT: control.read_text,
    MessageId.QUERY: control.read_query,
    MessageId.RESPONSE: control.read_response,
    MessageId.ERROR: control.read_error,
    MessageId.IMAGE: image.read_image,
    MessageId.RECON_DATA: recon_data.read_recon_data,
    MessageId.IMAGE_ARRAY: image_array.read_image_array,
    MessageId.WAVEFORM: waveform.read_waveform,
    MessageId.BUCKET: bucket.read_bucket,
}

WRITERS: tuple[tuple[type, MessageId, Callable[[Any], list[Buffer]]], ...] = (
    (AcquisitionBlock, MessageId.ACQUISITION, lambda block: [buffer_of(block.messages())]),
    (ismrmrd.Acquisition, MessageId.ACQUISITION, acquisition.write_acquisition),
    (ismrmrd.Image, MessageId.IMAGE, image.write_image),
    (ismrmrd.Waveform, MessageId.WAVEFORM, waveform.write_waveform),
    (ReconData, MessageId.RECON_DATA, recon_data.write_recon_data),
    (ImageArray, MessageId.IMAGE_ARRAY, image_array.write_image_array),
    (AcquisitionBucket, MessageId.BUCKET, bucket.write_bucket),
    (control.Text, MessageId.TEXT, control.write_text),
    (control.Filename, MessageId.FILENAME, control.write_filename),
    (control.Config, MessageId.CONFIG, control.write_config),
    (control.Header, MessageId.HEADER, control.write_header),
    (control.Close, MessageId.CLOSE, control.write_close),
    (control.Query, MessageId.QUERY, control.write_query),
    (control.Response, MessageId.RESPONSE, control.write_response),
    (control.Error, MessageId.ERROR, control.write_error),
)


def message_id(item: object) -> MessageId:
    """The message that carries `item`. Raises UnsupportedItem, naming the types that can be sent."""
    for kind, mid, _ in WRITERS:
        if isinstance(item, kind):
            return mid
    known = ", ".join(kind.__name__ for kind, _, _ in WRITERS)
    raise UnsupportedItem(f"an item of type {type(item).__name__} cannot be sent; known: {known}")


def encode(item: object) -> list[Buffer]:
    """`item` as one message (a block: as one message for each acquisition), in buffers that may view its memory."""
    for kind, _, writer in WRITERS:
        if isinstance(item, kind):
            return writer(item)
    message_id(item)
    raise AssertionError("unreachable")


class RawMessage:
    """A message whose body the caller reads with `Decoder.take`: its identifier was named in `raw`."""

    def __init__(self, mid: int):
        self.mid = mid


class Decoder:
    """Incremental reader of the protocol.

    Receive into `get_buffer()` and say `received(n)` (or `feed(data)`), then call `next()` until it returns None.
    Identifiers in `raw` are returned as RawMessage; the caller then takes the body.

    Raises ProtocolError (LimitExceeded, TruncatedMessage) naming the message and the byte of the stream; after
    that the stream cannot be read on.
    """

    def __init__(self, limits: Limits | None = None, *, raw: Container[int] = (), buffer_bytes: int = BUFFER_BYTES):
        self.limits = limits or Limits()
        self.raw = raw
        self._pool: list[Array] = []
        self._storage = self._allocate(buffer_bytes)
        self._start = self._end = 0
        self._base = 0  # stream offset of the buffer's first byte
        self._need = 2  # bytes from _start that must be there before anything more can be said
        self._reader: Reader[Any] | None = None
        self._mid = 0
        self._message_start = 0
        self._size = 0  # of the last acquisition message

    # -- input

    def get_buffer(self) -> memoryview:
        """Free memory to receive into; at least one byte."""
        if self._start == self._end and self._end and len(self._storage) == BUFFER_BYTES:
            # One reference more is ours, as the current buffer. One outside the pool has its views alone.
            pooled = any(self._storage is storage for storage in self._pool)
            if sys.getrefcount(self._storage) <= _UNUSED + pooled:
                self._base += self._start
                self._start = self._end = 0
        room = len(self._storage) - self._end
        if self._need > len(self._storage) - self._start or room == 0:
            self._renew()
            room = len(self._storage) - self._end
        free = memoryview(self._storage)  # type: ignore[arg-type]
        return free[self._end : self._end + min(room, self._wanted())]

    def _wanted(self) -> int:
        """Bytes to receive next: up to the end of a message if the last shape goes on, so that none is split."""
        pending = self._end - self._start
        size = self._size
        if self._reader is not None or not size:
            return max(RECEIVED_BYTES, self._need - pending)
        most = min(RECEIVED_BYTES, len(self._storage) - self._start)
        whole = max(1, most // size) * size
        return max(whole - pending if whole > pending else RECEIVED_BYTES, self._need - pending)

    @property
    def missing(self) -> int:
        """Bytes without which nothing more can be said; 0 or less when there is something to be had."""
        return self._need - (self._end - self._start)

    def received(self, n: int) -> None:
        """Say that `n` bytes were written into the last buffer got."""
        self._end += n

    def feed(self, data: bytes | memoryview) -> None:
        """Copy `data` in."""
        view = memoryview(data).cast("B")
        while view:
            free = self.get_buffer()
            n = min(len(free), len(view))
            free[:n] = view[:n]
            self.received(n)
            view = view[n:]

    def _renew(self) -> None:
        pending = self._storage[self._start : self._end]
        fresh = self._allocate(max(BUFFER_BYTES, self._need, 2 * len(pending)))
        fresh[: len(pending)] = pending
        self._base += self._start
        self._storage, self._start, self._end = fresh, 0, len(pending)

    def _allocate(self, size: int) -> Array:
        if size != BUFFER_BYTES:
            return np.empty(size, np.uint8)
        for i in range(len(self._pool)):
            if sys.getrefcount(self._pool[i]) <= _UNUSED:
                return self._pool[i]
        storage = np.empty(BUFFER_BYTES, np.uint8)
        if len(self._pool) < POOLED_BUFFERS:
            self._pool.append(storage)
        return storage

    # -- output

    def next(self) -> Any:
        """The next item, or None when more bytes are needed."""
        if self.missing > 0:
            return None
        try:
            return self._next()
        except ProtocolError as error:
            where = f"{describe(self._mid)} at byte {self._message_start}"
            raise type(error)(f"{where}: {error}") from None

    def _next(self) -> Any:
        if self._reader is None:
            if not self._available(2):
                return None
            self._message_start = self._base + self._start
            self._mid = int.from_bytes(self._storage[self._start : self._start + 2].tobytes(), "little")
            if self._mid in self.raw:
                self._start += 2
                return RawMessage(self._mid)
            if self._mid == MessageId.ACQUISITION:
                return self._block()
            if self._mid not in READERS:
                known = ", ".join(f"{m.name} ({m.value})" for m in MessageId)
                raise ProtocolError(f"this message cannot be read; known: {known}")
            self._start += 2
            self._reader = READERS[self._mid](self.limits)
            try:
                self._need = next(self._reader)
            except StopIteration as stop:
                return self._finish(stop.value)
        while True:
            view = self.take(self._need)
            if view is None:
                return None
            try:
                self._need = self._reader.send(view)
            except StopIteration as stop:
                return self._finish(stop.value)

    def _finish(self, item: Any) -> Any:
        self._reader, self._need = None, 2
        return item

    def take(self, n: int) -> Array | None:
        """The next `n` bytes, viewing the receive buffer, or None when they have not all arrived."""
        if not self._available(n):
            return None
        view = self._storage[self._start : self._start + n]
        self._start += n
        if self._reader is None:
            self._need = 2
        return view

    def _available(self, n: int) -> bool:
        self._need = n
        return self._end - self._start >= n

    def _block(self) -> AcquisitionBlock | None:
        if not self._available(HEAD_BYTES):
            return None
        storage = memoryview(self._storage)  # type: ignore[arg-type]
        channels, samples, dimensions, size = acquisition.read_shape(storage, self._start, self.limits)
        self._size = size
        if not self._available(size):
            return None
        n = acquisition.run_length(self._storage, self._start, size, self._end - self._start)
        wire = self._storage[self._start : self._start + n * size].reshape(n, size)
        self._start += n * size
        self._need = 2
        return AcquisitionBlock.of_shape(wire, channels, samples, dimensions)

    def eof(self) -> None:
        """Say that no more bytes will come. Raises TruncatedMessage when they ended inside a message."""
        left = self._end - self._start
        if self._reader is None and left == 0:
            return
        end = self._base + self._end
        if self._reader is None and left < 2:
            raise TruncatedMessage(f"the data ended inside a message identifier, at byte {end}")
        raise TruncatedMessage(
            f"the data ended inside {describe(self._mid)}: it began at byte {self._message_start}, "
            f"{end - self._message_start} bytes of it arrived, at least {self._need - left} more were due"
        )
