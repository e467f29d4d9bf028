import os
import socket
import sys
import threading

import numpy as np
import pytest

from gadgets.stream.connection import Connection
from gadgets.stream.control import Close, Error, Text
from gadgets.stream.errors import Stopped
from gadgets.stream.peer import connect
from gadgets.stream.transport import MemoryTransport
from pipelines.host import external
from pipelines.host.external import ExternalError, child, peer
from tests.support.server import ROOT, Held, wait_until
from tests.support.streams import acquisition, acquisitions, header_xml

GADGETS = "tests.support.gadgets"


@pytest.fixture(autouse=True)
def _found_by_children(monkeypatch):
    """Children find modules where this process does. After each test they are gone."""
    if str(ROOT) not in sys.path:
        monkeypatch.syspath_prepend(str(ROOT))
    before = Held.by(os.getpid())
    yield
    wait_until(lambda: before.covers(Held.by(os.getpid())), 2.0, "a thread, a descriptor or a process is left")


def lines(n, samples=16):
    return [acquisition(np.full((2, samples), i), scan_counter=i) for i in range(n)]


def run(gadget, items=None):
    """What the gadget sends for items."""
    transport = MemoryTransport(lines(8) if items is None else items)
    gadget(Connection(transport, b"<configuration/>", header_xml()))
    return transport.sent


class Peer:
    """Listens, and does what it is told with its first connection."""

    def __init__(self, serve):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.failure = None
        self.thread = threading.Thread(target=self._run, args=(serve,), daemon=True)
        self.thread.start()

    def _run(self, serve):
        with self.listener:
            sock, _ = self.listener.accept()
        with sock:
            sock.settimeout(10.0)
            try:
                serve(connect(sock), sock)
            except Exception as error:
                self.failure = error

    def __enter__(self):
        return peer("127.0.0.1", self.port)

    def __exit__(self, *exception):
        self.thread.join(10.0)
        assert not self.thread.is_alive()


def test_a_child_gets_configuration_header_and_items_and_gives_its_own():
    assert [a.scan_counter for a in acquisitions(run(child(GADGETS, "passes")))] == list(range(8))
    assert [a.scan_counter for a in acquisitions(run(child(GADGETS, "bare_passes")))] == list(range(8))


def test_more_data_than_sockets_hold_pass_both_ways():
    items = lines(300, samples=8192)
    found = acquisitions(run(child(GADGETS, "passes"), items))
    assert [a.scan_counter for a in found] == list(range(300))
    assert (found[-1].data == 299).all()


@pytest.mark.parametrize("n", [1, 200])
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("raises_at_first", "raises_at_first: RuntimeError: broken at the first item"),
        ("bare_raises", "exit status 1: KeyError: 'bare and broken'"),
        ("exits_at_once", "exit status 7"),
        ("not_there", "TypeError"),
    ],
)
def test_a_failing_child_says_why(name, words, n):
    """Whether it fails before everything has been written to it, or after."""
    with pytest.raises(ExternalError, match=words):
        run(child(GADGETS, name), lines(n, samples=8192))


def test_a_child_that_cannot_be_imported_says_why():
    with pytest.raises(ExternalError, match="broken at import"):
        run(child(f"{GADGETS}.raises_at_import", "run"))


@pytest.mark.parametrize("name", ["returns_early", "bare_returns"])
@pytest.mark.parametrize("n", [3, 200])
def test_a_child_that_leaves_its_input_is_a_failure(name, n):
    with pytest.raises(ExternalError, match="before the end of its input"):
        run(child(GADGETS, name), lines(n, samples=8192))


def test_a_child_that_does_not_exit_is_ended(monkeypatch):
    monkeypatch.setattr(external, "EXIT_SECONDS", 0.3)
    with pytest.raises(ExternalError, match=r"passes_and_stays did not exit after its CLOSE"):
        run(child(GADGETS, "passes_and_stays"))


def test_children_are_ended_when_the_chain_stops():
    class Ending(MemoryTransport):
        def receive(self):
            if not self._items:
                raise Stopped("the chain was stopped")
            return super().receive()

    with pytest.raises(Stopped):
        child(GADGETS, "passes")(Connection(Ending(lines(3)), b"<configuration/>", header_xml()))


def test_a_peer_gives_and_takes_items():
    def serve(connection, sock):
        assert connection.config.tag == "configuration"
        assert connection.header.encoding
        for item in connection.blocks():
            connection.send(item)
        connection.transport.send(Close())

    with Peer(serve) as gadget:
        assert len(acquisitions(run(gadget))) == 8


def test_a_peer_that_reports_an_error():
    def serve(connection, sock):
        connection.transport.send(Error("no more magnets"))

    with Peer(serve) as gadget, pytest.raises(ExternalError, match="no more magnets"):
        run(gadget)


def test_a_peer_that_goes_away():
    def serve(connection, sock):
        list(connection.blocks())

    with Peer(serve) as gadget, pytest.raises(ExternalError, match="ended the connection without CLOSE"):
        run(gadget)


def test_a_peer_that_closes_early():
    def serve(connection, sock):
        next(connection)
        connection.transport.send(Close())
        sock.recv(1)

    with Peer(serve) as gadget, pytest.raises(ExternalError, match="closed before the end of its input"):
        run(gadget, lines(300, samples=65535))


def test_a_peer_that_speaks_another_language():
    def serve(connection, sock):
        sock.sendall(b"HTTP/1.1 200 OK")

    with Peer(serve) as gadget, pytest.raises(ExternalError, match="unknown message 21576 at byte 0"):
        run(gadget)


def test_a_peer_may_send_text():
    def serve(connection, sock):
        list(connection.blocks())
        for item in (Text("hello"), Close()):
            connection.transport.send(item)

    with Peer(serve) as gadget:
        assert run(gadget) == [Text("hello")]


def test_nobody_listens(monkeypatch):
    monkeypatch.setattr(external.time, "sleep", lambda seconds: None)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(ExternalError, match=f"nothing answers at 127.0.0.1:{port} after 5 tries: ConnectionRefused"):
        run(peer("127.0.0.1", port))
