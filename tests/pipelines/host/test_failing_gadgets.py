"""Gadgets that fail, leave, print or hang: the client is told which and why, and the next scan is served."""

import ismrmrd
import pytest

from gadgets.stream.control import Close, Config, Header, Text
from tests.support.server import node, pipeline
from tests.support.small_scan import small_scan

RECON = [
    node("acquisition_accumulate_trigger", "gadgets.acquisition_accumulate_trigger", trigger_dimension="slice"),
    node("bucket_to_buffer", "gadgets.bucket_to_buffer"),
    node("simple_recon", "gadgets.simple_recon"),
    node("image_array_split", "gadgets.image_array_split"),
]


def ask(server, *nodes, scan=None, timeout=10.0):
    scan = scan or small_scan()
    return server.ask(Config(pipeline(*nodes)), Header(scan.header), *scan.lines, Close(), timeout=timeout)


FAILING = {
    "raises_at_first": ["[raises_at_first]", "RuntimeError: broken at the first item"],
    "raises_in_the_middle": ["[raises_in_the_middle]", "LookupError: broken after 5 items"],
    "raises_after_the_last": ["[raises_after_the_last]", "ArithmeticError: broken after the last item"],
    "raises_many_lines": ["[raises_many_lines]", "one line and another and one more"],
    "bare_raises": ["[bare_raises]", "KeyError: 'bare and broken'"],
    "BareClass": ["[BareClass]", "a broken class"],
    "returns_early": ["[returns_early]", "it returned before the end of its input"],
    "exits": ["[exits]", "SystemExit: 3"],
    "sends_a_number": ["[sends_a_number]", "an item of type int cannot be sent", "known:"],
}


@pytest.mark.parametrize("name", FAILING)
def test_a_failing_gadget(server, name):
    """At the beginning, in the middle and at the end of a chain; no image of half the data comes out."""
    for nodes in (
        [node(name), *RECON],
        [node("passes"), node(name), node("passes_slowly", seconds=0.001)],
        [node("passes"), node("passes"), node(name)],
    ):
        reply = ask(server, *nodes)
        reply.assert_failed(*FAILING[name])
        assert reply.seconds < 3
        assert not reply.images


def test_a_failing_gadget_is_told_of_while_the_client_still_sends(server):
    scan = small_scan()
    with server.client(5.0) as client:
        client.send(Config(pipeline(node("raises_at_first"))), Header(scan.header), scan.lines[0])
        client.read().assert_failed("[raises_at_first]")


def test_the_same_gadget_twice_has_two_names(server):
    reply = ask(server, node("raises_in_the_middle", after=1000), node("raises_in_the_middle", after=2))
    reply.assert_failed("[raises_in_the_middle#2]", "broken after 2 items")


def test_images_that_were_complete_are_delivered(server):
    scan = small_scan(slices=3)
    reply = ask(server, *RECON, node("raises_in_the_middle", after=2), node("passes"), scan=scan)
    reply.assert_failed("[raises_in_the_middle]")
    assert len(reply.images) <= 2
    for image in reply.images:
        expected = scan.image[image.slice]
        assert abs(image.data - expected).max() < 1e-5 * expected.max()


def test_a_gadget_that_prints(server):
    scan = small_scan()
    reply = ask(server, node("prints"), scan=scan)
    assert (reply.errors, reply.texts, reply.closed) == ([], [], True)
    blocks = [item for item in reply.items if not isinstance(item, Close)]
    assert [a.scan_counter for block in blocks for a in block] == [line.scan_counter for line in scan.lines]
    server.wait_for_log("a gadget prints")
    server.wait_for_log("and to its errors")


def test_warnings_of_gadgets_reach_the_client(server):
    reply = ask(server, node("warns"))
    assert "WARNING a gadget warns" in reply.texts
    assert reply.errors == [] and reply.closed


def test_a_gadget_that_hangs_while_another_fails(server):
    """The text comes at once; the worker with the thread that cannot be stopped is replaced."""
    scan, before = small_scan(), server.workers
    with server.client(20.0) as client:
        nodes = [node("raises_in_the_middle", after=3), node("hangs")]
        client.send(Config(pipeline(*nodes)), Header(scan.header), *scan.lines[:3])
        server.wait_for_log("a gadget hangs")
        client.send(*scan.lines[3:])
        first = client.next()
        assert isinstance(first, Text) and first.text.startswith("ERROR   [raises_in_the_middle]"), first
        assert client.read().closed
    server.wait_for_log("a gadget did not stop")
    assert ask(server, node("passes")).errors == []
    assert server.workers != before


def test_a_gadget_that_ends_its_process(server):
    before = server.workers
    reply = ask(server, node("passes"), node("exits_at_once"))
    reply.assert_failed("the worker process of this scan ended (exit status 7)")
    assert reply.seconds < 3
    assert ask(server, node("passes"), timeout=30.0).errors == []
    assert server.workers != before


def test_a_chain_that_sends_nothing_says_so(server):
    scan = small_scan()
    reply = server.ask(*scan.session("measurement_dependencies"))
    assert (reply.errors, reply.images, reply.closed) == ([], [], True)
    assert any("sent nothing for 16 acquisitions" in text for text in reply.texts), reply.texts


def test_a_gadget_may_change_what_it_has_sent(server):
    """Gadgets that were made for a process boundary find its manners here too."""
    reply = ask(server, node("reuses"), node("passes"))
    found = [a for block in reply.items[:-1] for a in block]
    assert all(isinstance(a, ismrmrd.Acquisition) for a in found)
    assert [a.scan_counter for a in found] == [1, 2, 3] * 16
    assert all((a.data == a.scan_counter).all() for a in found)
