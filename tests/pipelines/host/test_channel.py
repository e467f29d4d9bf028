import threading
import time

import ismrmrd
import numpy as np
import pytest
from gadgetron.types.acquisition_bucket import AcquisitionBucket

from gadgets.stream.blocks import AcquisitionBlock
from gadgets.stream.connection import Connection
from gadgets.stream.control import Text
from gadgets.stream.errors import Stopped, UnsupportedItem
from pipelines.host.channel import Channel, ChannelTransport, size_of
from tests.support.items import every_item
from tests.support.streams import acquisition


def line(n=0, samples=1000):
    """About 8 kB per coil."""
    return acquisition(np.full((1, samples), n), scan_counter=n)


class Background(threading.Thread):
    """A call in a thread, and what became of it."""

    def __init__(self, call, *arguments):
        super().__init__(daemon=True)
        self.call = lambda: call(*arguments)
        self.result = None
        self.start()

    def run(self):
        try:
            self.result = self.call()
        except Exception as error:
            self.result = error

    def waits(self):
        self.join(0.1)
        return self.is_alive()

    def ended(self):
        self.join(5.0)
        assert not self.is_alive()
        return self.result


def test_items_come_in_order_and_all_at_once():
    channel = Channel()
    for n in range(5):
        channel.put(n)
    assert channel.get() == [0, 1, 2, 3, 4]
    channel.put(5)
    channel.close()
    assert channel.get() == [5]
    assert channel.get() == []
    assert channel.get() == []


def test_get_waits_for_an_item_or_the_end():
    channel = Channel()
    first = Background(channel.get)
    assert first.waits()
    channel.put("it")
    assert first.ended() == ["it"]
    second = Background(channel.get)
    assert second.waits()
    channel.close()
    assert second.ended() == []


def test_put_waits_at_capacity():
    channel = Channel(capacity=3 * size_of(line()))
    for n in range(3):
        channel.put(line(n))
    fourth = Background(channel.put, line(3))
    assert fourth.waits()
    assert [a.scan_counter for a in channel.get()] == [0, 1, 2]
    fourth.ended()
    assert [a.scan_counter for a in channel.get()] == [3]


def test_an_item_above_the_capacity_passes_alone():
    channel = Channel(capacity=100)
    channel.put(line(0))
    second = Background(channel.put, line(1))
    assert second.waits()
    assert [a.scan_counter for a in channel.get()] == [0]
    second.ended()
    assert [a.scan_counter for a in channel.get()] == [1]


@pytest.mark.parametrize("end", ["cancel", "close"])
def test_a_full_channel_that_ends_lets_go_of_who_puts(end):
    channel = Channel(capacity=1)
    channel.put(line())
    putting = Background(channel.put, line())
    assert putting.waits()
    getattr(channel, end)()
    assert isinstance(putting.ended(), Stopped)
    with pytest.raises(Stopped):
        channel.put(line())


def test_cancel_drops_everything_and_lets_go_of_who_gets():
    channel = Channel()
    getting = Background(channel.get)
    assert getting.waits()
    channel.cancel()
    assert isinstance(getting.ended(), Stopped)
    full = Channel()
    full.put("it")
    full.cancel()
    with pytest.raises(Stopped):
        full.get()


def test_what_is_in_a_closed_channel_can_still_be_taken():
    channel = Channel()
    channel.put("it")
    channel.close()
    assert channel.get() == ["it"]


def test_order_and_bounds_hold_between_busy_threads():
    channel, most = Channel(capacity=10 * size_of(line())), []

    def produce():
        for n in range(2000):
            channel.put(line(n))
        channel.close()

    producer = Background(produce)
    counters = []
    while items := channel.get():
        most.append(len(items))
        counters += [a.scan_counter for a in items]
        if len(counters) % 7 == 0:
            time.sleep(0.001)
    producer.ended()
    assert counters == list(range(2000))
    assert max(most) <= 10


def test_every_item_has_a_size():
    """Within the overhead of the small ones, it is that of the data."""
    sizes = {name: size_of(item) for name, item in every_item().items()}
    assert all(size >= 0 for size in sizes.values())
    block = AcquisitionBlock.from_acquisitions([acquisition(np.ones((8, 4096)))] * 10)
    assert 10 * 8 * 4096 * 8 <= size_of(block) < 1.1 * 10 * 8 * 4096 * 8
    assert size_of(acquisition(np.ones((8, 4096)))) >= 8 * 4096 * 8
    lines = [acquisition(np.ones((8, 4096)))] * 3
    bucket = AcquisitionBucket(lines, [], lines, [], [])
    assert size_of(bucket) >= 6 * 8 * 4096 * 8
    image = ismrmrd.Image.from_array(np.ones((1, 1, 256, 256), np.float32), transpose=False)
    assert size_of(image) >= 4 * 256 * 256


@pytest.mark.parametrize("copying", [True, False])
def test_a_copying_transport_sends_what_the_item_was(copying):
    outbox = Channel()
    connection = Connection(ChannelTransport(Channel(), outbox, copying=copying), b"", b"")
    sent = line(1)
    connection.send(sent)
    sent.data[:] = -1
    sent.scan_counter = 99
    (found,) = [a for item in outbox.get() for a in (item if isinstance(item, AcquisitionBlock) else [item])]
    if copying:
        assert found.scan_counter == 1 and (found.data == 1).all()
    else:
        assert found is sent


@pytest.mark.parametrize("copying", [True, False])
def test_what_is_no_item_is_refused_when_it_is_sent(copying):
    connection = Connection(ChannelTransport(Channel(), Channel(), copying=copying), b"", b"")
    with pytest.raises(UnsupportedItem, match="of type int"):
        connection.send(42)


def test_readers_and_writers_of_a_gadget_work_without_a_wire():
    inbox, outbox = Channel(), Channel()
    connection = Connection(ChannelTransport(inbox, outbox, copying=False), b"", b"")
    connection.add_reader(5, lambda readable: readable.read(4 + 5)[4:].decode().upper())
    connection.add_writer(
        lambda item: isinstance(item, str), lambda sink, item: sink.write(b"\5\0\3\0\0\0" + item[:3].encode())
    )
    inbox.put(Text("hello"))
    inbox.close()
    assert list(connection) == ["HELLO"]
    connection.send("goodbye")
    assert outbox.get() == [Text("goo")]
