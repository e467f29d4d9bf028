"""One session, in this process: what it says and does, without a server around it."""

import contextlib
import logging
import socket
import threading

import pytest

import pipelines
from gadgets.stream.codec import encode
from gadgets.stream.control import Close, Config, Error, Filename, Header, Query, Response, Text
from gadgets.stream.limits import Limits
from gadgets.stream.transport import decoded
from pipelines.host.input import ClientInput, Idle, Woken
from pipelines.host.session import Rules, Session, TextHandler
from tests.support.server import node, pipeline, wait_until
from tests.support.small_scan import small_scan

RULES = Rules(allow=("tests.support.gadgets",), idle_seconds=10.0)
HEADER = Header(small_scan().header)


class Client:
    """The other side of a session that runs in a thread."""

    def __init__(self, rules=RULES, gone_after=None):
        self.items = []
        self._ours, theirs = socket.socketpair()
        self._left = gone_after
        self._closing = contextlib.ExitStack()
        self._closing.enter_context(self._ours)
        self._closing.enter_context(theirs)
        source = self._closing.enter_context(contextlib.closing(ClientInput(theirs, rules.limits, rules.idle_seconds)))
        self.session = Session(source, self._take, rules)
        self._threads = threads_of_scans()
        self._thread = threading.Thread(target=self.session.run, daemon=True)
        self._thread.start()

    def _take(self, buffers):
        if self._left is not None:
            self._left -= 1
            if self._left < 0:
                raise BrokenPipeError("nobody listens")
        self.items += decoded(b"".join(bytes(part) for part in buffers))

    def send(self, *items):
        for item in items:
            self._ours.sendall(b"".join(bytes(part) for part in encode(item)))

    def end(self):
        """The session's outcome; nothing of it is left."""
        self._thread.join(10.0)
        assert not self._thread.is_alive()
        wait_until(lambda: threads_of_scans() <= self._threads, 5.0)
        self._closing.close()
        return self.session.outcome

    @property
    def texts(self):
        return [item.text for item in self.items if isinstance(item, Text)]


def threads_of_scans():
    """How many threads there are, but for those that gadgets keep from their first scan on."""
    return sum(not thread.name.startswith("resident ") for thread in threading.enumerate())


def served(*items, rules=RULES):
    client = Client(rules)
    client.send(*items)
    return client, client.end()


def test_a_scan():
    scan = small_scan(slices=2)
    client, outcome = served(*scan.session())
    assert (outcome.pipeline, outcome.acquisitions, outcome.images) == ("default.xml", 32, 2)
    assert (outcome.error, outcome.stuck, client.texts) == ("", False, [])
    assert [image.slice for image in client.items[:-1]] == [0, 1]
    assert isinstance(client.items[-1], Close)


def test_the_first_image_comes_before_the_last_data():
    scan, again = small_scan(), small_scan(seed=1)
    for line in again.lines:
        line.idx.repetition = 1
    client = Client()
    client.send(*scan.session()[:-1], again.lines[0])
    wait_until(lambda: client.items, 5.0)
    assert client.items[0].repetition == 0
    client.send(*again.lines[1:], Close())
    assert client.end().images == 2


@pytest.mark.parametrize("n", [0, 1, 2])
def test_a_question_or_a_text_is_no_step(n, caplog):
    caplog.set_level(logging.INFO)
    before = [Filename("default"), HEADER][:n]
    client, outcome = served(*before, Text("hello"), Query(5, "gadgetron::info::python"), Close())
    assert Response(5, "YES") in client.items
    assert "client: hello" in caplog.messages
    assert outcome.error == ""


UNWANTED = {
    "a response": Response(1, "yes"),
    "an error": Error("broken"),
    "a configuration": Config(pipeline()),
    "a header": HEADER,
}


@pytest.mark.parametrize("name", UNWANTED)
def test_what_no_client_sends_during_a_scan(name):
    client, outcome = served(Filename("default"), HEADER, small_scan().lines[0], UNWANTED[name])
    assert client.texts == [f"ERROR   {outcome.error}"]
    assert outcome.error.startswith("received ")
    assert isinstance(client.items[-1], Close)


def test_the_first_failure_is_told_once():
    nodes = [node("raises_in_the_middle", after=2), node("returns_early")]
    client, outcome = served(Config(pipeline(*nodes)), HEADER, *small_scan().lines, Close())
    assert len([text for text in client.texts if text.startswith("ERROR")]) == 1
    assert outcome.error and outcome.error in client.texts[0]


def test_a_client_that_has_gone_stops_the_chain():
    scan = small_scan(slices=3)
    client = Client(gone_after=1)
    client.send(*scan.session()[:-1])
    outcome = client.end()
    assert outcome.error.startswith("the client has gone: BrokenPipeError")
    assert len(client.items) == 1


def test_limits_are_those_of_the_rules():
    rules = Rules(limits=Limits(acquisition=500))
    client, outcome = served(Filename("default"), HEADER, small_scan().lines[0], rules=rules)
    assert "above the limit of 500 bytes" in outcome.error


def test_what_openrecon_means_is_the_servers_to_say():
    scan = small_scan()
    _, outcome = served(*scan.session("openrecon"), rules=Rules(openrecon="default"))
    assert (outcome.pipeline, outcome.images) == ("default.xml", 1)
    _, outcome = served(*scan.session("openrecon"))
    assert "no pipeline 'openrecon'" in outcome.error


def test_a_name_in_the_environment_stands_for_its_value(monkeypatch):
    monkeypatch.setenv("OUR_PIPELINE", "cartesian_rss.xml")
    monkeypatch.setenv("OUR_SECRET", "do-not-tell")
    _, outcome = served(Filename("OUR_PIPELINE"), Close())
    assert (outcome.pipeline, outcome.error) == ("cartesian_rss.xml", "")
    client, outcome = served(Filename("OUR_SECRET"), Close())
    assert "'OUR_SECRET' stands for one that is not there" in outcome.error
    assert not any("do-not-tell" in text for text in client.texts)


@pytest.mark.parametrize("name", pipelines.names())
def test_every_pipeline_ends_without_a_header(name):
    _, outcome = served(Filename(name), Close())
    # What makes scans of a header alone, and what must be told the ID of a job.
    assert outcome.error == "" or name in ("simulate", "fetch")


def test_warnings_of_gadgets_become_texts():
    client = Client()
    record = logging.LogRecord("gadgets", logging.CRITICAL, "", 1, "so much for %s", ("that",), None)
    TextHandler(client.session).handle(record)
    client.send(Close())
    client.end()
    assert client.texts == ["ERROR   so much for that"]


@pytest.fixture
def pair():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def test_input_waits_no_longer_than_the_limit(pair):
    with contextlib.closing(ClientInput(pair[1], Limits(), 0.1)) as source, pytest.raises(Idle, match="for 0.1 s"):
        source.next()


def test_input_can_be_woken(pair):
    with contextlib.closing(ClientInput(pair[1], Limits(), 10.0)) as source:
        threading.Timer(0.05, source.wake).start()
        with pytest.raises(Woken):
            source.next()


def test_input_that_has_arrived_is_read_to_its_end(pair):
    with contextlib.closing(ClientInput(pair[1], Limits(), 10.0)) as source:
        pair[0].sendall(b"".join(encode(Text("one")) + encode(Text("two"))))
        pair[0].shutdown(socket.SHUT_WR)
        assert [source.next(), source.next(), source.next()] == [Text("one"), Text("two"), None]
        assert source.ended
