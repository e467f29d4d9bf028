"""A worker: a process that serves one session after the other, and keeps what it has loaded between them.

Started by the server as a new interpreter. It receives each session as two file descriptors: the client's socket,
which it only reads, and a socket pair that carries whole messages for the client to the parent.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import logging
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict

import pipelines
from gadgets.stream.endings import end
from gadgets.stream.errors import describe_error
from gadgets.stream.limits import Limits

from . import config, frames, loader
from .input import ClientInput
from .nodes import Connect
from .session import Outcome, Rules, Session, TextHandler

log = logging.getLogger(__name__)


def warm() -> None:
    """Import what the pipelines on this machine name, so that no scan waits for an import."""
    for name in pipelines.names():
        try:
            pipeline = config.read(pipelines.find(name))
        except (ValueError, OSError) as error:
            log.debug("not warmed: %s", error)
            continue
        for node in pipeline.nodes:
            if isinstance(node, Connect):
                continue
            try:
                loader.load(node)
            except ValueError as error:
                log.debug("not warmed: %s", error)


def preload(models: Sequence[str]) -> None:
    """Have models (METHOD=MODEL) in memory where scans will find them. One that cannot be read is an error in the log:
    scans that need it say so themselves, and others are served.
    """
    for one in models:
        method, _, model = one.partition("=")
        try:
            seconds = importlib.import_module("gadgets.reconstruct").preload(method, model)
        except Exception as error:
            log.error("%s is not preloaded: %s", one, describe_error(error))
        else:
            log.info("%s is preloaded, in %.1f s", one, seconds)


def serve(control: socket.socket, rules: Rules) -> None:
    """Sessions from the parent until it goes, or until a gadget of one did not stop."""
    while True:
        frames.send(control, frames.READY)
        data, descriptors, _, _ = socket.recv_fds(control, 1, 2)
        if not data:
            return
        client, output = (socket.socket(fileno=descriptor) for descriptor in descriptors)
        outcome = _session(client, output, rules)
        if outcome.stuck:
            return


def _session(client: socket.socket, output: socket.socket, rules: Rules) -> Outcome:
    started = time.monotonic()
    source = ClientInput(client, rules.limits, rules.idle_seconds, output=output)
    with client, output, contextlib.closing(source):

        def send(buffers: Sequence[bytes | memoryview]) -> None:
            frames.send(output, frames.MESSAGES, buffers)

        session = Session(source, send, rules)
        with _texts_for(session):
            outcome = session.run()
        session.complete()
        report = asdict(outcome) | {"seconds": round(time.monotonic() - started, 3)}
        with contextlib.suppress(OSError):
            frames.send(output, frames.DONE, [json.dumps(report).encode()])
    return outcome


@contextlib.contextmanager
def _texts_for(session: Session) -> Iterator[None]:
    handler = TextHandler(session)
    logger = logging.getLogger("gadgets")
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


def main(arguments: Sequence[str]) -> None:
    """`python -m pipelines.host.worker FD SETTINGS`: FD is the socket to the parent, SETTINGS its rules as JSON."""
    control = socket.socket(fileno=int(arguments[0]))
    settings = json.loads(arguments[1])
    logging.basicConfig(
        level=settings.pop("log"),
        stream=sys.stderr,
        format=f"%(asctime)s {settings.pop('name')} %(levelname)s %(message)s",
    )
    # Standard output belongs to nobody here: what a gadget prints goes to the log.
    sys.stdout = sys.stderr
    models = settings.pop("preload")
    rules = Rules(**settings | {"allow": tuple(settings["allow"]), "limits": Limits(**settings["limits"])})
    warm()
    preload(models)
    with contextlib.suppress(ConnectionError):
        serve(control, rules)
    end()


if __name__ == "__main__":
    main(sys.argv[1:])
