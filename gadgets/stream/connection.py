"""The connection that a gadget is called with: items in, items out, and the scan's header.

It has the surface of `gadgetron.external.Connection`, so that a gadget written for that runs unchanged, and adds
`blocks()`. What differs on purpose: an unknown message is an error and not the end of the data, the end of the peer
is noticed, and everything in the protocol can be read and written.
"""

from __future__ import annotations

import copy
import functools
import io
import xml.etree.ElementTree as ET
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import ismrmrd
import ismrmrd.xsd
import numpy as np

from .blocks import AcquisitionBlock, merge
from .clock import Clock
from .codec import RawMessage, encode, message_id
from .errors import ProtocolError
from .primitives import Array
from .scan_times import ScanTimes
from .transport import Transport

MERGED_BYTES = 4 << 20


class RawBytes:
    """The XML that `config` and `header` were parsed from."""

    def __init__(self, config: bytes, header: bytes):
        self.config = config
        self.header = header


class Connection:
    """Items of one stream, for one gadget.

    config: the gadget's own XML element (`config.iter("property")`), or None; header: the parsed ISMRMRD header;
    raw_bytes: the XML of both. `waiting`: items that have been received already. `stays`: whether the process serves on
    when this stream has ended. `clock` runs from now on, but while the gadget waits here: `stop` it when the gadget has
    ended. `times`: of the scan, as far as they are known here.
    """

    def __init__(
        self,
        transport: Transport,
        config: bytes,
        header: bytes,
        waiting: Iterable[Any] = (),
        *,
        stays: bool = False,
        clock: Clock | None = None,
        times: ScanTimes | None = None,
    ):
        self.transport = transport
        self.stays = stays
        self.clock = clock or Clock()
        self.times = times or ScanTimes()
        self.raw_bytes = RawBytes(config, header)
        self.filters: list[Callable[[Any], bool]] = []
        self.readers: dict[int, Callable[[Any], Any]] = {}
        self.writers: list[tuple[Callable[[Any], bool], Callable[[Any, Any], None]]] = []
        self.ended = False
        self._waiting: deque[Any] = deque(waiting)
        self._acquisitions: Iterator[ismrmrd.Acquisition] = iter(())
        self.clock.start()

    @functools.cached_property
    def config(self) -> ET.Element | None:
        return parse_config(self.raw_bytes.config)

    @functools.cached_property
    def header(self) -> Any:
        return parse_header(self.raw_bytes.header)

    # -- reading

    def __iter__(self) -> Iterator[Any]:
        """Single items, in order, until the input ends."""
        return (item for _, item in self.iter_with_mids())

    def iter_with_mids(self) -> Iterator[tuple[int, Any]]:
        """(message id, item), in order, until the input ends."""
        while True:
            try:
                found = self.next()
            except StopIteration:
                return
            yield found

    def __next__(self) -> tuple[int, Any]:
        return self.next()

    def next(self) -> tuple[int, Any]:
        """The next (message id, item). Raises StopIteration at the end of the input."""
        while True:
            mid, item = self._next_single()
            if all(accepts(item) for accepts in self.filters):
                return mid, item
            self.send(item)

    def _next_single(self) -> tuple[int, Any]:
        for acquisition in self._acquisitions:
            return self._read(acquisition)
        item = self._next_arrived()
        if isinstance(item, AcquisitionBlock):
            self._acquisitions = iter(item)
            return self._next_single()
        return self._read(item)

    def _next_arrived(self) -> Any:
        if not self._waiting:
            self._waiting.extend(self._receive())
        if not self._waiting:
            self.ended = True
            raise StopIteration
        return self._waiting.popleft()

    def _read(self, item: Any) -> tuple[int, Any]:
        """Apply a reader that the gadget brought, if there is one for this message."""
        if isinstance(item, RawMessage):
            return item.mid, self.readers[item.mid](self.transport.readable())
        mid = message_id(item)
        if mid in self.readers:
            body = b"".join(encode(item))[2:]
            return mid, self.readers[mid](io.BytesIO(body))
        return mid, item

    def blocks(self) -> Iterator[Any]:
        """Items in order, with acquisitions as blocks: all of one shape that have already arrived, never waiting."""
        for acquisition in self._acquisitions:
            yield from self._accepted_block(AcquisitionBlock.from_acquisitions([acquisition]))
        while True:
            try:
                item = self._next_arrived()
            except StopIteration:
                return
            if isinstance(item, (ismrmrd.Acquisition, AcquisitionBlock)):
                yield from self._accepted_block(self._gather(item))
                continue
            _, item = self._read(item)
            if all(accepts(item) for accepts in self.filters):
                yield item
            else:
                self.send(item)

    def _gather(self, first: Any) -> AcquisitionBlock:
        run = [_as_block(first)]
        nbytes = run[0].nbytes
        while self._waiting and isinstance(self._waiting[0], (ismrmrd.Acquisition, AcquisitionBlock)):
            following = _as_block(self._waiting[0])
            nbytes += following.nbytes
            if following.shape != run[0].shape or nbytes > MERGED_BYTES:
                break
            run.append(following)
            self._waiting.popleft()
        return merge(run)

    def _accepted_block(self, block: AcquisitionBlock) -> Iterator[AcquisitionBlock]:
        accepted: Array | None = None
        for accepts in self.filters:
            if isinstance(accepts, _OfType) and issubclass(ismrmrd.Acquisition, accepts.kind):
                continue
            verdict = np.fromiter((bool(accepts(a)) for a in block), bool, len(block))
            accepted = verdict if accepted is None else accepted & verdict
        if accepted is None or accepted.all():
            yield block
            return
        for acquisition, wanted in zip(block, accepted, strict=True):
            if wanted:
                yield AcquisitionBlock.from_acquisitions([acquisition])
            else:
                self.send(acquisition)

    def arrived(self, kind: type) -> bool:
        """Whether the next item is one of `kind`, and is here already."""
        return bool(self._waiting) and isinstance(self._waiting[0], kind)

    def drain(self) -> int:
        """Read and drop the rest of the input; says how many items it was."""
        dropped = len(self._waiting) + sum(1 for _ in self._acquisitions)
        self._waiting.clear()
        while not self.ended:
            items = self._receive()
            dropped += len(items)
            self.ended = not items
        return dropped

    def unread(self) -> bool:
        """Whether anything is left to read, waiting for the next item or the end of the input."""
        if self.ended or self._waiting:
            return bool(self._waiting)
        if next(self._acquisitions, None) is not None:
            return True
        self._waiting.extend(self._receive())
        self.ended = not self._waiting
        return bool(self._waiting)

    def _receive(self) -> list[Any]:
        return self.clock.pause(self.transport.receive)

    # -- writing

    def send(self, item: Any) -> None:
        """Send an item on. Raises UnsupportedItem, naming what can be sent, for one that no writer accepts."""
        for accepts, writer in self.writers:
            if accepts(item):
                sink = io.BytesIO()
                writer(sink, item)
                self.clock.pause(self.transport.send_bytes, sink.getvalue())
                return
        message_id(item)
        self.clock.pause(self.transport.send, item)

    def abandoned(self) -> bool:
        """Whether nobody waits any more for what is made here, and long work should end."""
        return self.transport.abandoned()

    # -- what a gadget may change

    def filter(self, predicate: type | Callable[[Any], bool]) -> None:
        """Let only items through that are of a type, or satisfy a predicate; the others are sent straight on."""
        self.filters.append(_OfType(predicate) if isinstance(predicate, type) else predicate)

    def add_reader(self, mid: int, reader: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        """Read messages `mid` with `reader(readable, ...)`, where `readable.read(n)` gives bytes of the body."""
        self.readers[mid] = lambda readable: reader(readable, *args, **kwargs)
        self.transport.want_raw(mid)

    def add_writer(self, accepts: Callable[[Any], bool], writer: Callable[..., None], *args: Any, **kw: Any) -> None:
        """Write items that satisfy `accepts` with `writer(writable, item, ...)`, identifier included."""
        self.writers.insert(0, (accepts, lambda writable, item: writer(writable, item, *args, **kw)))

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *exception: object) -> None:
        """The end of the stream belongs to whoever made the transport."""


class _OfType:
    def __init__(self, kind: type):
        self.kind = kind

    def __call__(self, item: Any) -> bool:
        return isinstance(item, self.kind)


def _as_block(item: Any) -> AcquisitionBlock:
    return item if isinstance(item, AcquisitionBlock) else AcquisitionBlock.from_acquisitions([item])


def parse_config(xml: bytes) -> ET.Element | None:
    """A gadget's `<configuration>` element, or None where there is none (just an XML declaration)."""
    try:
        return ET.fromstring(xml)
    except ET.ParseError:
        return None


def parse_header(xml: bytes) -> Any:
    """The ISMRMRD header as an object of the caller's own. Raises ProtocolError for XML that is not one."""
    return copy.deepcopy(_parsed_header(xml))


@functools.lru_cache(maxsize=4)
def _parsed_header(xml: bytes) -> Any:
    """Every gadget of a chain reads the same header; parsing costs ten times what a copy does."""
    try:
        return ismrmrd.xsd.CreateFromDocument(xml)
    except Exception as error:
        raise ProtocolError(f"the ISMRMRD header cannot be read: {' '.join(str(error).split())}") from None
