"""A session from the client's side: everything arrives, every failure is told in a line, nothing hangs."""

from __future__ import annotations

import contextlib
import socket
import threading
import time

import ismrmrd
import numpy as np
import pytest

from gadgets.stream.blocks import AcquisitionBlock
from gadgets.stream.codec import encode
from gadgets.stream.control import Close, Config, Filename, Header, Query, Response, Text
from gadgets.stream.dtypes import ACQUISITION_HEADER
from gadgets.stream.errors import StreamError
from gadgets.stream.transport import SocketTransport, send_all
from pipelines.clients.send import SendError, query, send
from tests.support.streams import header_xml

HEADER = header_xml()


@contextlib.contextmanager
def server(behave, *, receive_buffer=None):
    """A server for one session on a thread: `behave(socket, transport, say)`. Gives its port."""
    with socket.socket() as listening:
        if receive_buffer:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        listening.bind(("127.0.0.1", 0))
        listening.listen()

        def session():
            with contextlib.suppress(OSError, StreamError):
                sock, _ = listening.accept()
                with sock:
                    behave(sock, SocketTransport(sock), lambda item: send_all(sock, encode(item)))

        thread = threading.Thread(target=session, daemon=True)
        thread.start()
        yield listening.getsockname()[1]
        thread.join(5)
        assert not thread.is_alive()


@pytest.fixture(autouse=True)
def no_thread_is_left():
    yield
    assert [t.name for t in threading.enumerate() if t.name == "send"] == []


def block(n=4, samples=16, channels=2, stamps=0):
    headers = np.zeros(n, ACQUISITION_HEADER)
    headers["number_of_samples"], headers["active_channels"] = samples, channels
    headers["acquisition_time_stamp"] = stamps
    return AcquisitionBlock(headers, np.ones((n, channels, samples), np.complex64))


def image(value):
    return ismrmrd.Image.from_array(np.full((4, 4), value, np.float32), transpose=False)


def received(transport):
    items = []
    while arrived := transport.receive():
        items += arrived
    return items


def echo(kept):
    def behave(sock, transport, say):
        while arrived := transport.receive():
            for item in arrived:
                kept.append(item)
                if isinstance(item, AcquisitionBlock):
                    for _ in range(len(item)):
                        say(image(1))
        say(Close())

    return behave


@pytest.mark.parametrize("opening", [{"config_name": "default"}, {"config_xml": b"<configuration/>"}])
def test_everything_arrives(opening):
    kept, texts = [], []
    with server(echo(kept)) as port:
        session = send([block(), block(samples=8)], HEADER, port=port, on_text=texts.append, **opening)
        images = list(session)
    assert kept[0] == (Filename("default") if "config_name" in opening else Config(b"<configuration/>"))
    assert kept[1] == Header(HEADER)
    assert sum(len(item) for item in kept[2:]) == session.n_sent == 8
    assert len(images) == session.n_images == 8
    assert texts == []


def test_images_come_while_acquisitions_are_still_sent():
    gate = threading.Event()

    def items():
        yield block()
        assert gate.wait(5)
        yield block()

    with server(echo([])) as port:
        session = send(items(), HEADER, config_name="a", port=port)
        for n, _ in enumerate(session, 1):
            if n == 4:
                gate.set()
        assert n == 8


def test_texts_are_handed_on():
    def behave(sock, transport, say):
        say(Text("INFO    loading"))
        received(transport)
        say(Text("WARNING careful"))
        say(Close())

    texts = []
    with server(behave) as port:
        assert list(send([block()], HEADER, config_name="a", port=port, on_text=texts.append)) == []
    assert texts == ["INFO    loading", "WARNING careful"]


def test_an_error_is_raised_at_the_end_and_images_before_it_are_kept():
    def behave(sock, transport, say):
        received(transport)
        say(image(1))
        say(Text("ERROR   noise_adjust: no noise"))
        say(image(2))
        say(Close())

    images = []
    with server(behave) as port, pytest.raises(SendError, match="^noise_adjust: no noise$"):
        for item in send([block()], HEADER, config_name="a", port=port):
            images.append(item)
    assert len(images) == 2


def test_an_early_error_stops_the_writer():
    """The server gives up after the header, reads no more, and says why."""

    def behave(sock, transport, say):
        transport.receive()
        say(Text("[Connection Main Thread/Stream] ERROR: no such gadget"))
        say(Close())
        sock.shutdown(socket.SHUT_WR)
        time.sleep(0.5)

    endless = (block(256, 512, 8) for _ in range(10_000))
    with server(behave) as port, pytest.raises(SendError, match="no such gadget"):
        list(send(endless, HEADER, config_name="a", port=port))


@pytest.mark.parametrize("ending", ["close", "eof", "cut"])
def test_a_server_that_leaves_early_is_an_error(ending):
    def behave(sock, transport, say):
        transport.receive()
        if ending == "close":
            say(Close())
            time.sleep(0.2)
        elif ending == "cut":
            sock.sendall(b"".join(encode(image(1)))[:100])

    gone = threading.Event()

    def items():
        yield block()
        gone.wait(0.5)
        for _ in range(10_000):
            yield block(256, 512, 8)

    expected = {"close": "closed before everything was sent", "eof": "the (server|connection)", "cut": "inside|lost"}
    with server(behave) as port, pytest.raises(SendError, match=expected[ending]):
        list(send(items(), HEADER, config_name="a", port=port))


def test_the_end_of_the_connection_after_everything_is_an_error():
    def behave(sock, transport, say):
        received(transport)

    with server(behave) as port, pytest.raises(SendError, match=r"without CLOSE \(4 acquisitions sent, 0 images rec"):
        list(send([block()], HEADER, config_name="a", port=port))


def test_a_server_that_never_reads_holds_the_writer_back_until_the_time_is_up():
    taken = []

    def items():
        for _ in range(1000):
            taken.append(1)
            yield block(64, 512, 8)  # 2 MB

    def behave(sock, transport, say):
        time.sleep(1.2)

    with server(behave, receive_buffer=65536) as port, pytest.raises(SendError, match="read nothing for 0.5 s"):
        list(send(items(), HEADER, config_name="a", port=port, timeout=0.5))
    assert len(taken) < 20


def test_a_server_that_never_answers():
    def behave(sock, transport, say):
        received(transport)
        time.sleep(1.2)

    with server(behave) as port, pytest.raises(SendError, match="sent nothing for 0.5 s"):
        list(send([block()], HEADER, config_name="a", port=port, timeout=0.5))


def test_a_source_that_fails_ends_the_session_with_its_own_error():
    def items():
        yield block()
        raise ValueError("the file is damaged")

    with server(echo([])) as port, pytest.raises(ValueError, match="the file is damaged"):
        list(send(items(), HEADER, config_name="a", port=port))


def test_leaving_the_iteration_ends_the_session():
    with server(echo([])) as port:
        session = iter(send((block() for _ in range(10**9)), HEADER, config_name="a", port=port))
        next(session)
        session.close()


def test_connecting_is_tried_again():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    kept = []

    def late():
        time.sleep(0.4)
        with socket.socket() as listening:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(("127.0.0.1", port))
            listening.listen()
            sock, _ = listening.accept()
            with sock:
                echo(kept)(sock, SocketTransport(sock), lambda item: send_all(sock, encode(item)))

    thread = threading.Thread(target=late)
    thread.start()
    assert len(list(send([block()], HEADER, config_name="a", port=port))) == 4
    thread.join()


def test_nobody_there(monkeypatch):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    monkeypatch.setattr("pipelines.clients.send.PATIENCE_S", 0.2)
    with pytest.raises(SendError, match=f"nothing listens at 127.0.0.1:{port} .tried for 0.2 s"):
        list(send([block()], HEADER, config_name="a", port=port))
    with pytest.raises(SendError, match="nothing listens"):
        query("127.0.0.1", port, "gadgetron::info")


def test_a_configuration_is_needed():
    with pytest.raises(ValueError, match="either config_name or config_xml"):
        send([], HEADER)


def test_query():
    def behave(sock, transport, say):
        for item in received(transport):
            if isinstance(item, Query):
                say(Text("INFO    hello"))
                say(Response(item.correlation_id, f"answer to {item.text}"))
        say(Close())

    with server(behave) as port:
        assert query("127.0.0.1", port, "gadgetron::info") == "answer to gadgetron::info"
    with server(echo([])) as port, pytest.raises(SendError, match="closed without answering"):
        query("127.0.0.1", port, "gadgetron::info")
    with server(lambda *_: time.sleep(1)) as port, pytest.raises(SendError, match="did not answer"):
        query("127.0.0.1", port, "gadgetron::info", timeout=0.2)
