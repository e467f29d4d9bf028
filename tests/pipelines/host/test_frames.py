import socket
import struct
import threading

import pytest

from gadgets.stream.control import Close, Text
from gadgets.stream.transport import decoded
from pipelines.host import frames


@pytest.fixture
def pair():
    one, other = socket.socketpair()
    with one, other:
        one.settimeout(10.0)
        other.settimeout(10.0)
        yield one, other


@pytest.mark.parametrize("parts", [[], [b""], [b"one"], [b"one", memoryview(b"two"), b""]])
def test_a_frame_arrives_as_it_was_sent(pair, parts):
    one, other = pair
    frames.send(one, frames.MESSAGES, parts)
    frames.send(one, frames.READY)
    assert frames.receive(other) == (frames.MESSAGES, b"".join(parts))
    assert frames.receive(other) == (frames.READY, b"")


def test_a_frame_larger_than_sockets_hold(pair):
    one, other = pair
    data = bytes(range(256)) * (1 << 15)
    sender = threading.Thread(target=frames.send, args=(one, frames.MESSAGES, [data[:100], data[100:]]))
    sender.start()
    assert frames.receive(other) == (frames.MESSAGES, data)
    sender.join()


@pytest.mark.parametrize("n", [0, 1, 8, 9, 10, 12])
def test_a_sender_that_goes_in_the_middle(pair, n):
    one, other = pair
    one.sendall(struct.pack("<cQ", b"M", 4)[:n] + b"four"[: max(0, n - 9)])
    one.close()
    assert frames.receive(other) is None


def test_the_parents_own_messages_are_those_of_the_protocol():
    data = frames.text_message("ERROR", "no more magnets, Ø") + frames.close_message()
    assert decoded(data) == [Text("ERROR   no more magnets, Ø"), Close()]
