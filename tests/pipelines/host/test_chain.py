import threading
import time

import numpy as np
import pytest

from gadgets.properties import gadget
from gadgets.stream.blocks import AcquisitionBlock
from gadgets.stream.connection import Connection
from gadgets.stream.errors import Stopped
from pipelines.host.chain import Chain, Step
from pipelines.host.loader import load
from pipelines.host.nodes import Execute
from tests.support import gadgets
from tests.support.server import wait_until
from tests.support.streams import acquisition, acquisitions, header_xml


def step(target, label="", copying=False):
    return Step(label or target.__name__, target, b"<configuration/>", copying)


def line(n, samples=16):
    return acquisition(np.full((2, samples), n), scan_counter=n)


class Running:
    """A chain that is fed in the background; its threads are counted."""

    def __init__(self, *steps):
        self.before = threading.active_count()
        self.failures = []
        self.chain = Chain(steps, header_xml(), on_failure=self.failures.append)
        self.chain.start()

    def feed(self, items, close=True):
        try:
            for item in items:
                self.chain.input.put(item)
            if close:
                self.chain.input.close()
        except Stopped:
            return

    def outputs(self):
        found = []
        while items := self.chain.output.get():
            found += items
        return found

    def assert_ended(self):
        assert self.chain.finish(5.0)
        wait_until(lambda: threading.active_count() <= self.before, 5.0)


def run(*steps, items=None):
    running = Running(*steps)
    feeder = threading.Thread(target=running.feed, args=([line(n) for n in range(20)] if items is None else items,))
    feeder.start()
    found = running.outputs()
    feeder.join(5.0)
    assert not feeder.is_alive()
    running.assert_ended()
    return found, running.failures


@pytest.mark.parametrize("n", [0, 1, 5])
def test_items_pass_in_order(n):
    found, failures = run(*[step(gadgets.passes)] * n)
    assert [a.scan_counter for a in acquisitions(found)] == list(range(20))
    assert not failures


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("name", ["raises_at_first", "raises_in_the_middle", "raises_after_the_last", "exits"])
def test_one_failing_gadget_ends_every_thread(name, place):
    steps = [step(gadgets.passes), step(gadgets.passes_slowly)]
    steps.insert(place, step(getattr(gadgets, name), label="it"))
    _, (failure,) = run(*steps)
    assert failure.label == "it"
    assert str(failure).startswith("[it] ")
    assert isinstance(failure.__cause__, (RuntimeError, LookupError, ArithmeticError, SystemExit))


def test_an_early_return_is_a_failure():
    _, (failure,) = run(step(gadgets.passes), step(gadgets.returns_early))
    assert str(failure) == "[returns_early] it returned before the end of its input"


def test_a_return_at_the_end_of_the_input_is_none():
    def takes_two(connection):
        for _ in range(2):
            connection.send(connection.next()[1])

    found, failures = run(step(takes_two), items=[line(0), line(1)])
    assert (len(acquisitions(found)), failures) == (2, [])


def test_the_first_failure_counts():
    at_once = threading.Barrier(2)

    def fails(connection):
        next(connection)
        at_once.wait(5.0)
        raise RuntimeError("one of two")

    def passes_first(connection):
        _, item = next(connection)
        connection.send(item)
        at_once.wait(5.0)
        raise RuntimeError("one of two")

    _, failures = run(step(passes_first), step(fails))
    assert len(failures) == 1


def test_a_slow_gadget_holds_back_the_source():
    """Put waits: what is on its way is bounded, however much is to come."""
    taken = threading.Event()

    def waits(connection):
        taken.wait(20.0)
        for item in connection:
            connection.send(item)

    running = Running(step(gadgets.passes), step(waits))
    count = 0

    def feed():
        nonlocal count
        for n in range(400):
            running.chain.input.put(line(n, samples=65535))
            count += 1
        running.chain.input.close()

    feeder = threading.Thread(target=feed, daemon=True)
    feeder.start()
    time.sleep(0.3)
    stalled = count
    time.sleep(0.2)
    assert count == stalled < 100
    taken.set()
    total = 0
    while items := running.chain.output.get():
        total += len(acquisitions(items))
    assert total == 400
    feeder.join(5.0)
    running.assert_ended()


def test_stop_ends_gadgets_that_wait_and_the_output_can_be_taken():
    running = Running(step(gadgets.passes), step(gadgets.passes))
    running.feed([line(0)], close=False)
    wait_until(lambda: running.chain.output._items)
    running.chain.stop()
    assert len(acquisitions(running.outputs())) == 1
    running.assert_ended()
    assert running.chain.failure is None


def test_a_gadget_that_does_not_stop_is_told_of():
    release = threading.Event()

    def hangs(connection):
        release.wait(20.0)

    running = Running(step(hangs))
    running.chain.stop()
    started = time.monotonic()
    assert not running.chain.finish(0.2)
    assert time.monotonic() - started < 2.0
    release.set()
    running.assert_ended()


@gadget
def ours(connection):
    """Reuses what it has sent, as it must not."""
    for item in connection:
        connection.send(item)
        item.scan_counter = 99


def test_gadgets_that_were_not_made_for_us_keep_the_manners_of_a_process_boundary():
    """What they send is not changed by what they do to it afterwards; ours go without the copy."""
    foreign = Step.of(load(Execute(label="reuses", module="tests.support.gadgets", target="reuses")))
    assert foreign.copying
    assert not Step.of(load(Execute(label="passes", module="tests.support.gadgets", target="passes"))).copying
    found, failures = run(foreign, items=[line(0), line(0)])
    assert not failures
    assert [(a.scan_counter, a.data[0, 0].real) for a in acquisitions(found)] == [(1, 1), (2, 2), (3, 3)] * 2
    found, _ = run(step(ours), items=[line(0)])
    assert [a.scan_counter for a in acquisitions(found)] == [99]


def test_a_block_that_was_sent_on_is_not_changed_by_single_acquisitions():
    """Iterating over a block gives acquisitions of their own."""
    block = AcquisitionBlock.from_acquisitions([line(0), line(1)])

    def sends_both(connection: Connection):
        for item in connection:
            item.data[:] = -1
            connection.send(item)

    found, _ = run(step(sends_both), items=[block])
    assert len(acquisitions(found)) == 2
    assert (block.data[1] == 1).all()
