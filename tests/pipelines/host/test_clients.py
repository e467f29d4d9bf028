"""Clients that are silent, that do not read, that leave, and many at once."""

import contextlib
import os
import selectors
import signal
import socket
import time

import pytest

from gadgets.stream.control import Close, Config, Filename, Header, Text
from tests.support.server import Held, node, pipeline, runs, wait_until
from tests.support.small_scan import small_scan

SILENT = {
    "from the start": [],
    "after the configuration": [Filename("default")],
    "after the header": [Filename("default"), Header(small_scan().header)],
    "in the middle of the data": small_scan().session()[:8],
    "in the middle of a message": [Filename("default"), Header(small_scan().header), b"\xf0\x03" + b"\0" * 50],
}


@pytest.mark.parametrize("when", SILENT)
def test_a_silent_client(impatient, when):
    reply = impatient.ask(*SILENT[when])
    reply.assert_failed("nothing came from the client for 1 s")
    assert 0.9 < reply.seconds < 4


def test_a_client_that_waits_for_its_image_is_not_silent(impatient):
    """The limit is for clients that owe something."""
    scan = small_scan()
    slow = pipeline(node("passes"), node("passes_slowly", seconds=1.6 / 16))
    reply = impatient.ask(Config(slow), Header(scan.header), *scan.lines, Close())
    assert (reply.errors, reply.closed) == ([], True)
    assert reply.seconds > 1.5


def test_a_client_that_does_not_read(impatient):
    """Its scan ends at the limit, though the stream is stuck inside an image; the log says so."""
    scan = small_scan()
    with impatient.client() as client:
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        client.send(Config(pipeline(node("floods"))), Header(scan.header), *scan.lines, Close())
        impatient.wait_for_log("a client takes no messages", 6.0)
        # Its worker serves others already.
        assert impatient.ask(*scan.session()).closed


def test_a_client_that_reads_late_gets_everything(server):
    """What it does not read waits in the chain, and fills no memory."""
    scan = small_scan()
    with server.client(30.0) as client:
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        client.send(Config(pipeline(node("floods", images=200))), Header(scan.header), *scan.lines, Close())
        (worker,) = server.workers
        time.sleep(0.5)
        resident = _resident(worker)
        wait_until(lambda: _resident(worker) <= resident + 1, 5.0)
        reply = client.read()
    assert [image.image_index for image in reply.images] == list(range(1, 201))
    assert reply.closed
    assert _resident(worker) < resident + 120


def _resident(pid):
    """MiB of memory."""
    with open(f"/proc/{pid}/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") >> 20


@pytest.mark.parametrize("n", [0, 1, 2, 9, 18])
def test_a_client_that_leaves(server, n):
    """At once, or with a reset while much is on its way to it."""
    for abrupt in (False, True):
        with server.client() as client:
            client.send(*small_scan().session()[:n])
            if abrupt:
                client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


def test_a_client_that_leaves_in_a_flood(server):
    scan = small_scan()
    with server.client() as client:
        client.send(Config(pipeline(node("floods"))), Header(scan.header), *scan.lines, Close())
        client.socket.recv(1 << 16)
    assert server.ask(*scan.session()).closed


def test_twenty_clients_at_once(server):
    """All are served in the order in which they came; those that wait are told so."""
    scan = small_scan()
    with contextlib.ExitStack() as stack:
        first = stack.enter_context(server.client(30.0))
        first.send(*scan.session()[:-1])
        others = []
        for ahead in range(1, 20):
            client = stack.enter_context(server.client(30.0))
            client.send(*scan.session())
            told = client.next()
            assert isinstance(told, Text)
            assert told.text == f"INFO    all workers are busy; {ahead} before this scan"
            others.append(client)
        assert Held.by(server.process.pid).children == 1
        first.send(Close())
        order = _order_of_replies(others)
        replies = [client.read() for client in (first, *others)]
    assert order == list(range(19))
    for reply in replies:
        (image,) = reply.images
        assert abs(image.data - scan.image).max() < 1e-5 * scan.image.max()
        assert (reply.errors, reply.closed) == ([], True)
        assert reply.seconds < 15


def test_a_burst_of_clients(server):
    scan = small_scan()
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(server.client(30.0)) for _ in range(20)]
        for client in clients:
            client.send(*scan.session())
        replies = [client.read() for client in clients]
    assert [(len(reply.images), reply.errors, reply.closed) for reply in replies] == [(1, [], True)] * 20


def _order_of_replies(clients):
    """Who hears from the server first, by peeking."""
    order = []
    with selectors.DefaultSelector() as selector:
        for i, client in enumerate(clients):
            selector.register(client.socket, selectors.EVENT_READ, i)
        while len(order) < len(clients):
            ready = selector.select(10.0)
            assert ready, f"only {order} heard anything"
            # Several may be ready when we look; they are not in the order of their answers then.
            for i in sorted(key.data for key, _ in ready):
                order.append(i)
                selector.unregister(clients[i].socket)
    return order


def test_a_waiting_client_may_leave(server):
    scan = small_scan()
    with server.client() as first:
        first.send(*scan.session()[:-1])
        for _ in range(3):
            with server.client() as client:
                client.send(*scan.session())
                assert "before this scan" in client.next().text
        with server.client() as last:
            last.send(*scan.session())
            assert "4 before this scan" in last.next().text
            first.send(Close())
            assert len(last.read().images) == 1


KILLED = {"while it reads": "passes", "while it works": "passes_slowly", "before its output": "hangs"}


@pytest.mark.parametrize("when", KILLED)
def test_a_worker_that_is_killed(server, when):
    scan, (worker,) = small_scan(), server.workers
    with server.client(10.0) as client:
        client.send(Config(pipeline(node(KILLED[when]))), Header(scan.header), *scan.lines[:4])
        wait_until(lambda: Held.by(worker).threads > 1)
        os.kill(worker, signal.SIGKILL)
        killed = time.monotonic()
        client.send(*scan.lines[4:], Close())
        reply = client.read()
        assert time.monotonic() - killed < 3
    reply.assert_failed("the worker process of this scan was killed (SIGKILL)")
    wait_until(lambda: server.workers and server.workers != [worker])


def test_a_worker_that_is_killed_inside_an_image_leaves_the_stream_whole(server):
    """Only whole messages reach the client; then the reason and CLOSE."""
    scan, (worker,) = small_scan(), server.workers
    with server.client(20.0) as client:
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        client.send(Config(pipeline(node("floods", mebibytes=16))), Header(scan.header), *scan.lines, Close())
        assert client.next().image_index == 1
        os.kill(worker, signal.SIGKILL)
        reply = client.read()
    reply.assert_failed("killed (SIGKILL)")
    assert len(reply.images) < 63


def test_an_idle_worker_that_is_killed_is_replaced_unnoticed(server):
    (worker,) = server.workers
    os.kill(worker, signal.SIGKILL)
    wait_until(lambda: not runs(worker))
    reply = server.ask(*small_scan().session(), timeout=30.0)
    assert (len(reply.images), reply.errors) == (1, [])
