"""Gadgets as processes of their own: the same words for what fails, and no process stays behind."""

import os
import signal

import pytest

from gadgets.stream.control import Close, Config, Header
from tests.support.server import children, node, pipeline, runs, wait_until
from tests.support.small_scan import small_scan


def ask(server, *nodes, scan=None):
    scan = scan or small_scan()
    return server.ask(Config(pipeline(*nodes)), Header(scan.header), *scan.lines, Close(), timeout=30.0)


FAILING = {
    "raises_at_first": ["[raises_at_first]", "RuntimeError: broken at the first item"],
    "raises_after_the_last": ["[raises_after_the_last]", "ArithmeticError: broken after the last item"],
    "bare_raises": ["[bare_raises]", "KeyError: 'bare and broken'"],
    "BareClass": ["[BareClass]", "ValueError: a broken class"],
    "returns_early": ["[returns_early]", "returned before the end of its input"],
    "bare_returns": ["[bare_returns]", "closed before the end of its input"],
    "exits": ["[exits]", "exit status 3"],
    "exits_at_once": ["[exits_at_once]", "exit status 7"],
    "sends_a_number": ["[sends_a_number]", "an item of type int cannot be sent"],
}


@pytest.mark.parametrize("name", FAILING)
def test_a_failing_gadget(isolating, name):
    (worker,) = isolating.workers
    reply = ask(isolating, node(name))
    reply.assert_failed(*FAILING[name])
    assert reply.seconds < 10
    assert not children(worker)


def test_a_failing_gadget_is_told_of_while_the_client_still_sends(isolating):
    scan = small_scan()
    with isolating.client(10.0) as client:
        client.send(
            Config(pipeline(node("passes"), node("raises_in_the_middle"))), Header(scan.header), *scan.lines[:9]
        )
        client.read().assert_failed("[raises_in_the_middle]", "broken after 5 items")


def test_a_chain_of_processes(isolating):
    """What they print stays out of the stream; properties arrive; they are gone when the scan is."""
    (worker,) = isolating.workers
    scan = small_scan()
    reply = ask(isolating, node("prints"), node("tells", gain=3), scan=scan)
    assert reply.texts == ["gain 3.0 name nobody on False sizes () acquisitions 16"]
    assert reply.closed
    assert not children(worker)
    isolating.wait_for_log("a gadget prints")


def test_warnings_of_gadgets_reach_the_client(isolating):
    reply = ask(isolating, node("warns"))
    assert reply.texts == ["WARNING a gadget warns"]
    assert reply.errors == [] and reply.closed


def test_one_process_fails_and_the_others_end(isolating):
    (worker,) = isolating.workers
    scan = small_scan()
    with isolating.client(30.0) as client:
        client.send(Config(pipeline(node("raises_in_the_middle"), node("hangs"))), Header(scan.header), *scan.lines[:4])
        isolating.wait_for_log("a gadget hangs")
        client.send(*scan.lines[4:], Close())
        client.read().assert_failed("[raises_in_the_middle]", "broken after 5 items")
    wait_until(lambda: not children(worker), 5.0)
    assert isolating.workers == [worker]


def test_the_processes_of_a_killed_worker_end(isolating):
    """Also one that, as the gadgetron package's own connection does, never notices that its host has gone."""
    (worker,) = isolating.workers
    scan = small_scan()
    with isolating.client(30.0) as client:
        client.send(Config(pipeline(node("bare_passes"), node("passes"))), Header(scan.header), scan.lines[0])
        processes = wait_until(lambda: len(children(worker)) == 2 and children(worker))
        client.next()
        os.kill(worker, signal.SIGKILL)
        client.read().assert_failed("killed (SIGKILL)")
    wait_until(lambda: not any(runs(pid) for pid in processes), 5.0)
