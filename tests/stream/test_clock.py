"""What counts as work: all but waiting, and once where several threads are at it."""

import threading
import time

import pytest

from gadgets.stream.clock import Clock
from gadgets.stream.connection import Connection
from gadgets.stream.control import Text
from gadgets.stream.transport import MemoryTransport


def test_work_counts_and_waiting_does_not():
    clock = Clock()
    time.sleep(0.05)
    assert clock.seconds == 0
    began = time.monotonic()
    clock.start()
    time.sleep(0.05)
    assert clock.seconds >= 0.05
    assert clock.pause(lambda value: time.sleep(0.2) or value, "waited") == "waited"
    clock.stop()
    counted = clock.seconds
    assert 0.05 <= counted <= time.monotonic() - began - 0.2
    time.sleep(0.05)
    assert clock.seconds == counted


def test_a_wait_that_fails_has_ended():
    clock = Clock()
    clock.start()
    with pytest.raises(ZeroDivisionError):
        clock.pause(lambda: 1 / 0)
    before = clock.seconds
    time.sleep(0.02)
    assert clock.seconds >= before + 0.02


def test_threads_at_work_at_once_count_once():
    """And while one of them waits, the other is at work."""
    clock = Clock()
    began = time.monotonic()
    clock.start()

    def works():
        clock.start()
        time.sleep(0.2)
        clock.stop()

    other = threading.Thread(target=works)
    other.start()
    time.sleep(0.1)
    clock.pause(other.join)
    clock.stop()
    assert 0.2 <= clock.seconds <= time.monotonic() - began


@pytest.mark.parametrize("read", [lambda c: list(c), lambda c: list(c.blocks()), lambda c: c.drain()])
def test_a_connection_counts_neither_receiving_nor_sending(read):
    class Slow(MemoryTransport):
        def receive(self):
            time.sleep(0.3)
            return super().receive()

        def send(self, item):
            time.sleep(0.3)

    clock = Clock()
    connection = Connection(Slow([]), b"", b"", clock=clock)
    read(connection)
    connection.send(Text("sent"))
    assert clock.seconds < 0.3
    time.sleep(0.05)
    clock.stop()
    assert clock.seconds >= 0.05
