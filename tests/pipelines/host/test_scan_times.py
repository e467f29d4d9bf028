"""Where a scan's time went: of each gadget, and from the last acquisition to the first image."""

import json
import os
import threading
import time
from dataclasses import replace

import numpy as np
import pytest

from gadgets.stream.control import Close, Config, Text
from pipelines.clients.replay import find, replay, with_settings
from pipelines.host.chain import Chain, Step
from tests.support.items import image
from tests.support.phantom_scan import phantom_scan
from tests.support.server import node, pipeline
from tests.support.small_scan import small_scan
from tests.support.streams import acquisition, header_xml

STEP = 0.1


def line(n, coils=2, samples=16):
    return acquisition(np.full((coils, samples), n), scan_counter=n)


def works(connection):
    """As long on each item."""
    for item in connection:
        time.sleep(STEP)
        connection.send(item)


def passes(connection):
    for item in connection:
        connection.send(item)


class Fed:
    """A chain whose output is taken; it is fed by the test."""

    def __init__(self, *steps, slow=0.0):
        self.chain = Chain(steps, header_xml(), on_failure=lambda failure: None)
        self.slow = slow
        self.left = []
        self.thread = threading.Thread(target=self.take)
        self.chain.start()
        self.thread.start()

    def take(self):
        while items := self.chain.output.get():
            for item in items:
                time.sleep(self.slow)
                self.chain.left(item)
                self.left.append(time.monotonic())

    def end(self):
        self.chain.input.close()
        self.thread.join(10.0)
        assert not self.thread.is_alive() and self.chain.finish(5.0)
        return self.chain.times


def step(target, label, here=True):
    return Step(label, target, b"", copying=False, here=here)


def test_who_waits_is_not_at_work():
    """Neither for a slow one before it, nor for a slow one behind it that does not take what it sends."""
    fed = Fed(step(passes, "before"), step(works, "works"), step(passes, "behind"))
    began = time.monotonic()
    for n in range(5):
        # More than half of what a channel holds.
        fed.chain.put(line(n, coils=20, samples=60_000))
    times = fed.end()
    seconds = {label: clock.seconds for label, clock in times.clocks.items()}
    assert list(seconds) == ["before", "works", "behind"]
    assert 5 * STEP <= seconds["works"] <= time.monotonic() - began
    assert max(seconds["before"], seconds["behind"]) < 2 * STEP
    # They have ended, and so have their clocks.
    time.sleep(0.02)
    assert seconds == {label: clock.seconds for label, clock in times.clocks.items()}


def every_third(connection):
    """An image of three lines."""
    for n, item in enumerate(connection):
        if n % 3 == 2:
            time.sleep(STEP)
            connection.send(image(np.random.default_rng(item.scan_counter)))


@pytest.mark.parametrize("following", [0, 3])
def test_the_first_image_counts_from_the_last_line_that_it_is_made_of(following):
    """Not from lines before that, nor from what comes later while it is made or when it is sent."""
    fed = Fed(step(passes, "passes"), step(every_third, "every_third"), slow=STEP)
    fed.chain.put(line(0))
    fed.chain.put(line(1))
    time.sleep(3 * STEP)
    before = time.monotonic()
    fed.chain.put(line(2))
    for n in range(following):
        time.sleep(STEP / 4)
        fed.chain.put(line(3 + n))
    first = fed.end().first_image
    # Made in one step, taken in another.
    assert 2 * STEP <= first <= fed.left[0] - before


def test_what_is_no_image_does_not_count():
    fed = Fed(step(passes, "passes"))
    fed.chain.put(line(0))
    fed.chain.put(Text("no image"))
    assert fed.end().first_image is None


def test_an_image_of_no_acquisitions_has_none():
    fed = Fed(step(passes, "passes"))
    fed.chain.put(image(np.random.default_rng(0)))
    assert fed.end().first_image is None


def test_nothing_is_said_of_what_works_elsewhere():
    fed = Fed(step(passes, "here"), step(every_third, "elsewhere", here=False))
    for n in range(3):
        fed.chain.put(line(n))
    times = fed.end()
    assert list(times.clocks) == ["here"] and times.first_image is None


def test_whoever_listens_may_fail(caplog):
    def fails():
        raise RuntimeError("broken")

    heard = []
    times = Fed(step(passes, "passes")).end()
    for listener in (fails, lambda: heard.append(1)):
        times.when_complete(listener)
    times.complete()
    times.complete()
    assert heard == [1] and "RuntimeError: broken" in caplog.text


def test_nobody_waits_for_what_is_noted(server):
    """CLOSE comes before it, nothing behind that, and the scan has not failed."""
    scan = small_scan()
    before = len(server.log)
    with server.client() as client:
        began = time.monotonic()
        client.send(Config(pipeline(node("notes_slowly", seconds=3))), *scan.session()[1:])
        while not isinstance(client.next(), Close):
            assert time.monotonic() - began < 3
        assert time.monotonic() - began < 3
        assert client.next() is None
    assert "told too late" in server.log[before:] and "RuntimeError: nothing was noted" in server.log[before:]


# -- in the record of a scan


def record_of(folder, *, isolate=False, names=None, **settings):
    whole = with_settings(find("cartesian_sense"), {"reconstruct.qa": str(folder)} | settings)
    used = replace(whole, nodes=tuple(one for one in whole.nodes if names is None or one.label in names))
    scan = phantom_scan(slices=2)
    began = time.monotonic()
    assert list(replay(used, scan.header, scan.lines, isolate=isolate))
    (path,) = folder.iterdir()
    return json.loads(path.read_text()), time.monotonic() - began, [one.label for one in used.nodes]


def test_a_replay_completes_the_record(tmp_path):
    record, seconds, labels = record_of(tmp_path)
    assert list(record["gadget_seconds"]) == labels
    assert 0 < min(record["gadget_seconds"].values()) <= max(record["gadget_seconds"].values()) < seconds
    spent = record["slices"][0]
    assert spent["reconstruction_seconds"] <= record["first_image_latency_seconds"] < seconds


def test_previews_count_with_what_is_made_behind_them(tmp_path):
    """The gadget is at work while the images are made, though it waits for data meanwhile."""
    record, _, _ = record_of(tmp_path, **{"reconstruct.preview": "rss", "reconstruct.iterations": "30"})
    made = sum(one["reconstruction_seconds"] for one in record["slices"])
    assert record["gadget_seconds"]["reconstruct"] >= made


@pytest.mark.slow
def test_a_process_of_its_own_records_its_own_time(tmp_path):
    names = ["acquisition_accumulate_trigger", "bucket_to_buffer", "reconstruct"]
    record, _, _ = record_of(tmp_path, isolate=True, names=names)
    assert list(record["gadget_seconds"]) == ["reconstruct"] and record["gadget_seconds"]["reconstruct"] > 0
    assert record["first_image_latency_seconds"] is None and record["first_image_seconds"] > 0


def test_a_record_that_can_be_written_but_once_stays_as_it_was(tmp_path, monkeypatch, caplog):
    """The images come all the same."""
    replaced, done = os.replace, []

    def once(part, path):
        if done:
            raise OSError("the disk is full")
        done.append(path)
        replaced(part, path)

    monkeypatch.setattr("os.replace", once)
    record, _, _ = record_of(tmp_path)
    assert record["outcome"] == "complete"
    assert "the quality record was not written: OSError: the disk is full" in caplog.text
