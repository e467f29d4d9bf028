"""One client's session: configuration, header, data in; images, texts and CLOSE out.

Whatever state a session is in, a failure reaches the client as TEXT that names its cause, and then CLOSE.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pipelines
from gadgets.stream import control
from gadgets.stream.codec import encode, message_id
from gadgets.stream.connection import parse_header
from gadgets.stream.errors import ProtocolError, Stopped, StreamError, describe_error
from gadgets.stream.ids import MessageId, describe
from gadgets.stream.limits import Limits
from gadgets.stream.notices import DETACHED, NOTICE

from . import config, parameters, queries, xml
from .assembly import assemble
from .chain import Chain, ChainFailed
from .formats import WRITERS
from .input import ClientInput, Woken
from .nodes import Pipeline

log = logging.getLogger(__name__)

STOP_SECONDS = 5.0
LOOK_SECONDS = 0.2
# A session without a header runs its gadgets on an empty scan, as in a Gadgetron.
NO_HEADER = (
    b'<?xml version="1.0"?><ismrmrdHeader xmlns="http://www.ismrm.org/ISMRMRD"><experimentalConditions>'
    b"<H1resonanceFrequency_Hz>0</H1resonanceFrequency_Hz></experimentalConditions></ismrmrdHeader>"
)
_DATA = {MessageId.ACQUISITION, MessageId.WAVEFORM, MessageId.IMAGE, MessageId.RECON_DATA, MessageId.IMAGE_ARRAY}
_DATA.add(MessageId.BUCKET)


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What a server lets its clients do."""

    limits: Limits = Limits()
    idle_seconds: float = 900.0
    allow: tuple[str, ...] = ()
    isolate: bool = False
    openrecon: str = ""


@dataclass
class Outcome:
    """How a session ended."""

    pipeline: str = ""
    acquisitions: int = 0
    images: int = 0
    error: str = ""
    stuck: bool = False


class Session:
    """Serves one client. `send` takes whole messages, as buffers, and raises OSError when the client has gone."""

    def __init__(self, client: ClientInput, send: Callable[[Sequence[bytes | memoryview]], None], rules: Rules):
        self.client = client
        self.rules = rules
        self.outcome = Outcome()
        self._send = send
        self._lock = threading.Lock()
        self._gone = False
        self._sent = 0
        self._accepted: set[int] = set()
        self._from_client = False
        self._chain: Chain | None = None

    def run(self) -> Outcome:
        """Serve the client to the end; never raises."""
        try:
            self._serve()
        except Woken:
            log.debug("woken: %s", self.outcome.error)
        except (Exception, SystemExit) as error:
            log.debug("session failed", exc_info=True)
            self._fail(error)
        self.send(control.Close())
        return self.outcome

    def complete(self) -> None:
        """After `run`: let what is to be noted of the scan's times be noted. No client waits for that."""
        if self._chain is not None:
            self._chain.times.complete()

    def _fail(self, error: BaseException) -> None:
        """Tell the client at once; the first failure counts, others follow from it."""
        cause = error.__cause__ if isinstance(error, ChainFailed) else error
        if not isinstance(cause, (ValueError, StreamError)):
            # Not a refusal but a fault in the code: whoever mends it needs to know where.
            log.error("traceback of the failure", exc_info=cause)
        if not self.outcome.error:
            self.outcome.error = describe_error(error)
            self.text("ERROR", self.outcome.error)

    def text(self, level: str, message: str) -> None:
        """Tell the client something."""
        self.send(control.Text(f"{level:<8}{message}"))

    def send(self, item: Any) -> None:
        """Send one item; once the client has gone, nothing more is tried."""
        with self._lock:
            if self._gone:
                return
            try:
                self._send(encode(item))
            except OSError as error:
                self._gone = True
                self.outcome.error = f"the client has gone: {describe_error(error)}"
                self.client.wake()

    # -- states

    def _serve(self) -> None:
        pipeline = self._configuration()
        if pipeline is None:
            return
        self.outcome.pipeline = pipeline.name
        # As in a Gadgetron: what the pipeline names no writer for does not leave it.
        self._accepted = {WRITERS[writer.classname] for writer in pipeline.writers}
        header, first = self._header()
        pipeline, first = self._parameters(pipeline, first)
        steps = assemble(pipeline, isolate=self.rules.isolate, allow=self.rules.allow, trusted=not self._from_client)
        self._chain = Chain(steps, header, on_failure=self._chain_failed, stays=True)
        self._stream(self._chain, first)

    def _chain_failed(self, failure: ChainFailed) -> None:
        self._fail(failure)
        self.client.wake()

    def _configuration(self) -> Pipeline | None:
        while True:
            item = self.client.next()
            if item is None:
                raise StreamError("the connection ended before a configuration came")
            if isinstance(item, control.Close):
                return None
            if isinstance(item, control.Filename):
                return self._named(item.name)
            if isinstance(item, control.Config):
                if not item.xml.lstrip().startswith(b"<"):
                    return self._named(item.xml.decode("utf-8", "replace").strip())
                self._from_client = True
                return config.parse(item.xml, "the client's configuration")
            self._aside(item, "before a configuration")

    def _named(self, name: str) -> Pipeline:
        """As in a Gadgetron, an environment variable of that name says which pipeline is meant."""
        wanted = os.environ.get(name) or (self.rules.openrecon if name == "openrecon" else "") or name
        try:
            return config.read(pipelines.find(wanted))
        except pipelines.PipelineNotFound:
            if wanted == name:
                raise
            # What the environment holds is not the client's business.
            raise pipelines.PipelineNotFound(f"configuration {name!r} stands for one that is not there") from None

    def _header(self) -> tuple[bytes, Any]:
        """The header and, if it came instead, the end of a session that has none."""
        while True:
            item = self.client.next()
            if item is None:
                raise StreamError("the connection ended before a header came")
            if isinstance(item, control.Close):
                return NO_HEADER, item
            if isinstance(item, control.Header):
                try:
                    xml.parse(item.xml)
                except xml.XmlError as error:
                    raise ProtocolError(f"the ISMRMRD header is not XML that can be read: {error}") from None
                parse_header(item.xml)
                return item.xml, None
            self._aside(item, "before a header")

    def _parameters(self, pipeline: Pipeline, first: Any) -> tuple[Pipeline, Any]:
        """FIRE's parameters, if the client sends any before its data, and the first item after them."""
        while first is None:
            first = self.client.next()
            if first is None:
                self.text("WARNING", "the connection was closed without CLOSE and without data")
                return pipeline, control.Close()
            if isinstance(first, control.Text) and (values := parameters.parse(first.text)) is not None:
                pipeline, ignored = parameters.apply(
                    pipeline, values, allow=self.rules.allow, trusted=not self._from_client
                )
                if ignored:
                    self.text("WARNING", f"no gadget of {pipeline.name} has the parameters {', '.join(ignored)}")
                first = None
            elif isinstance(first, (control.Text, control.Query)):
                self._aside(first, "")
                first = None
        return pipeline, first

    def _stream(self, chain: Chain, first: Any) -> None:
        source = threading.Thread(target=self._take, args=(chain, first), name="input", daemon=True)
        output = threading.Thread(target=self._deliver, args=(chain,), name="output", daemon=True)
        chain.start()
        output.start()
        source.start()
        while source.is_alive() or output.is_alive():
            (source if source.is_alive() else output).join(LOOK_SECONDS)
            if self._gone or self.client.abandoned():
                self.outcome.error = self.outcome.error or "the client has gone"
                chain.stop()
                self.client.wake()
        if not (self._sent or self.outcome.error or chain.failure):
            # An end without any word would leave the operator guessing.
            n = self.outcome.acquisitions
            self.text("INFO", f"{self.outcome.pipeline} has ended and sent nothing for {n} acquisitions")
        self.outcome.stuck = not chain.finish(STOP_SECONDS)
        if self.outcome.stuck:
            log.error("a gadget did not stop within %g s", STOP_SECONDS)

    def _take(self, chain: Chain, first: Any) -> None:
        try:
            self._feed(chain, first)
            chain.input.close()
        except (Stopped, Woken):
            chain.stop()
        except Exception as error:
            chain.stop()
            self._fail(error)

    def _feed(self, chain: Chain, item: Any) -> None:
        while not isinstance(item, control.Close):
            if item is None:
                self.text("WARNING", "the connection was closed without CLOSE; what had arrived is reconstructed")
                return
            if (mid := message_id(item)) in _DATA:
                self.outcome.acquisitions += len(item) if mid == MessageId.ACQUISITION else 0
                chain.put(item)
            else:
                self._aside(item, "during the scan")
            item = self.client.next()

    def _deliver(self, chain: Chain) -> None:
        try:
            while items := chain.output.get():
                for item in items:
                    mid = message_id(item)
                    if self._accepted and mid not in self._accepted:
                        log.debug("%s is sent by no writer of the pipeline", describe(mid))
                        continue
                    self._sent += 1
                    if mid == MessageId.IMAGE:
                        self.outcome.images += 1
                    self.send(item)
                    chain.left(item)
        except Stopped:
            pass

    def _aside(self, item: Any, when: str) -> None:
        """Messages that belong to no state: questions are answered, texts logged, others refused."""
        if isinstance(item, control.Query):
            self.send(control.Response(item.correlation_id, queries.answer(item.text)))
        elif isinstance(item, control.Text):
            log.info("client: %s", item.text)
        elif isinstance(item, (control.Filename, control.Config)):
            raise ProtocolError("received a second configuration; only one is allowed")
        elif isinstance(item, control.Header) and when == "during the scan":
            raise ProtocolError("received a second header; only one is allowed")
        else:
            raise ProtocolError(f"received {describe(message_id(item))} {when}")


class TextHandler(logging.Handler):
    """Warnings of the gadgets, and their notices, for the client's console."""

    def __init__(self, session: Session):
        super().__init__(NOTICE)
        self.session = session

    def emit(self, record: logging.LogRecord) -> None:
        if record.threadName == DETACHED:
            return
        # Clients know the levels of FIRE alone.
        level = "INFO" if record.levelno == NOTICE else record.levelname
        level = level if len(level) <= 7 else "ERROR"
        self.session.text(level, record.getMessage())
