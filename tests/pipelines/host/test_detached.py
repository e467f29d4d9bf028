"""Scans that end with their previews, over a real socket: their images are made behind them, and fetched later."""

import json
import os
import re
import signal

import ismrmrd
import pytest

from gadgets import jobs
from gadgets.stream.control import Close, Config, Filename, Header, Text
from pipelines.__main__ import main
from pipelines.clients.images import read_images
from tests.support.phantom_scan import phantom_scan
from tests.support.server import node, pipeline, serving, wait_until

SLOW = "tests.support.methods.slow_fit"
AFTER = [node(name, f"gadgets.{name}") for name in ("image_array_split", "complex_to_float", "image_finish")]


def around(**properties):
    """A pipeline around `reconstruct` that detaches, as XML."""
    detached = {"method": SLOW, "preview": "cg_sense", "detach": "true"}
    return pipeline(
        node("acquisition_accumulate_trigger", "gadgets.acquisition_accumulate_trigger", trigger_dimension="slice"),
        node("bucket_to_buffer", "gadgets.bucket_to_buffer"),
        node("reconstruct", "gadgets.reconstruct", **detached | properties),
        *AFTER,
    )


class Detaching:
    """A server whose scans detach their fits, and the folder of its jobs."""

    def __init__(self, folder, monkeypatch, *arguments):
        self.jobs = folder / "jobs"
        monkeypatch.setenv("DEEPGADGETS_JOBS", str(self.jobs))
        self.config = folder / "share" / "gadgetron" / "config"
        self.config.mkdir(parents=True)
        self.serving = serving(folder, *arguments, GADGETRON_HOME=str(folder))

    def __enter__(self):
        self.server = self.serving.__enter__()
        return self

    def __exit__(self, *exception):
        return self.serving.__exit__(*exception)

    def session(self, scan, **properties):
        (self.config / "detached.xml").write_bytes(around(**properties))
        return scan.session("detached")

    def scan(self, scan, **properties):
        """The reply to a scan, and the ID of its job."""
        reply = self.server.ask(*self.session(scan, **properties), timeout=60.0)
        assert reply.errors == [] and reply.closed, reply.texts
        (told,) = [text for text in reply.texts if "deepgadgets fetch" in text]
        assert told.startswith("INFO    ")
        return reply, re.search(r"deepgadgets fetch (\S+)$", told)[1]

    def fetch(self, name):
        """The reply to a scan that fetches the images of a job, without scaling them."""
        config = pipeline(node("fetch", "gadgets.fetch", id=name), *AFTER)
        return self.server.ask(Config(config), Close(), timeout=60.0)


@pytest.fixture
def detaching(tmp_path, monkeypatch):
    with Detaching(tmp_path, monkeypatch) as running:
        yield running


def test_the_scan_ends_with_previews_and_the_images_are_fetched(detaching, tmp_path, capsys):
    """They are those that the scan would have had, had it waited."""
    done, records = tmp_path / "done", tmp_path / "records"
    scan = phantom_scan(slices=2, measurement="knee")
    reply, name = detaching.scan(scan, until=done, qa=records)
    assert [image.image_series_index for image in reply.images] == [100, 100]
    # It is at work still, and served another scan meanwhile.
    (job,) = jobs.known()
    assert (job.id, job.state, job.measurement) == (name, "running", "knee") and job.method.startswith("SlowFit(")
    wait_until(lambda: "iterations" in jobs.find(name).text, 60.0)
    detaching.fetch(name).assert_failed("[fetch] ", f"job {name} is still running: {SLOW} at slice 0")
    assert not list(records.glob("*.json"))
    done.touch()
    wait_until(lambda: jobs.find(name).state == "done", 60.0)
    fetched = detaching.fetch(name)
    expected = detaching.server.ask(*detaching.session(scan, until=done, detach="false"), timeout=60.0)
    final = [image for image in expected.images if image.image_series_index == 0]
    assert fetched.errors == [] and len(fetched.images) == len(final) == 2
    for image, other in zip(fetched.images, final, strict=True):
        assert abs(image.data - other.data).max() <= 1e-6 * other.data.max()
        assert bytes(image.getHead()) == bytes(other.getHead())
        assert image.meta["ReconMethod"] == other.meta["ReconMethod"] == job.method
    # The record of the scan is written when its images are made.
    (record,) = wait_until(lambda: [json.loads(path.read_text()) for path in records.glob("*.json")])
    assert record["outcome"] == "complete" and len(record["slices"]) == 2
    # From the folder, and from the server by the pipeline that comes with us.
    server = ["--from", f"127.0.0.1:{detaching.server.port}"]
    for number, arguments in enumerate([[], server]):
        out = tmp_path / f"{number}.h5"
        assert main(["fetch", name, "-o", str(out), *arguments]) == 0, capsys.readouterr().err
        (images,) = read_images(out).values()
        assert [image.data.dtype for image in images] == ["uint16"] * 2
    assert main(["fetch"]) == 0
    assert re.search(rf"{name}  .*  done  knee, SlowFit\(", capsys.readouterr().out)


def test_what_is_told_behind_a_scan_is_told_to_no_other_client(detaching, tmp_path):
    """A warning of one job comes while another client is served."""
    done = tmp_path / "done"
    _, name = detaching.scan(phantom_scan(), until=done, fails="true", fallback="rss")
    with detaching.server.client(60.0) as client:
        scan = phantom_scan()
        client.send(Filename("default"), Header(scan.header), *scan.lines)
        client.send(Text("are you there"))
        detaching.server.wait_for_log("are you there")
        done.touch()
        detaching.server.wait_for_log("slow_fit failed at slice 0")
        wait_until(lambda: jobs.find(name).state == "done", 60.0)
        client.send(Close())
        reply = client.read()
    assert not any("slow_fit" in text for text in reply.texts)
    assert reply.errors == [] and len(reply.images) == 1
    (image,) = detaching.fetch(name).images
    assert "rss in place of" in image.meta["ImageComments"]


def test_a_fit_that_fails_behind_the_scan_is_told_to_whoever_fetches(detaching, tmp_path):
    done = tmp_path / "done"
    _, name = detaching.scan(phantom_scan(), until=done, fails="true")
    done.touch()
    wait_until(lambda: jobs.find(name).state == "failed", 60.0)
    words = "slow_fit at slice 0, repetition 0: ArithmeticError: broken at the last iteration"
    assert words in jobs.find(name).text
    detaching.fetch(name).assert_failed("[fetch] ", f"job {name} has failed: ", words)
    assert f"job {name} has failed" in detaching.server.log


def test_a_scan_that_fails_leaves_no_job(detaching):
    items = detaching.session(phantom_scan(slices=2), iterations=100_000, seconds=0.1)
    with detaching.server.client(60.0) as client:
        client.send(*items[:-3])
        while not isinstance(client.next(), ismrmrd.Image):
            pass
        assert len(jobs.known()) == 1
        client.send(Filename("again"))
        assert "only one is allowed" in client.read().errors[0]
    wait_until(lambda: jobs.known() == [], 60.0)


def test_an_unknown_job_is_refused(detaching):
    detaching.fetch("20261121-120000-00").assert_failed("[fetch] there is no job '20261121-120000-00'")
    detaching.server.ask(Filename("fetch"), Close(), timeout=60.0).assert_failed("[fetch] there is no job ''")


def test_a_server_that_is_stopped_lets_end_what_is_nearly_done(detaching, tmp_path):
    done = tmp_path / "done"
    _, name = detaching.scan(phantom_scan(), until=done)
    # Its last iteration has begun.
    wait_until(lambda: "iterations" in jobs.find(name).text, 60.0)
    done.touch()
    assert detaching.server.stop() == 0
    assert (jobs.find(name).state, jobs.find(name).text) == ("done", "")
    assert len(list(jobs.images_of(name))) == 1


def test_a_server_that_is_stopped_says_so_of_what_is_not(detaching):
    _, name = detaching.scan(phantom_scan(), iterations=100_000, seconds=0.05)
    wait_until(lambda: "iterations" in jobs.find(name).text, 60.0)
    assert detaching.server.stop() == 0
    assert (jobs.find(name).state, jobs.find(name).text) == ("failed", "the server was stopped")


def test_a_worker_that_is_killed(detaching):
    _, name = detaching.scan(phantom_scan(), iterations=100_000, seconds=0.1)
    assert jobs.find(name).state == "running"
    os.kill(detaching.server.workers[0], signal.SIGKILL)
    wait_until(lambda: jobs.find(name).state == "failed", 60.0)
    assert jobs.find(name).text == "the process that was at work on it has ended"


@pytest.mark.slow
def test_processes_that_end_with_the_scan_refuse_it(tmp_path, monkeypatch):
    with Detaching(tmp_path, monkeypatch, "--isolate") as isolating:
        reply = isolating.server.ask(*isolating.session(phantom_scan()), timeout=120.0)
    reply.assert_failed("[reconstruct] ", "detach needs a process that stays", "without --isolate")
    assert reply.images == [] and jobs.known() == []


def test_detach_needs_a_preview_and_a_time(detaching):
    for properties, words in (({"preview": ""}, "detach needs a preview"), ({"keep_days": 0}, "keep_days is 0.0")):
        detaching.server.ask(*detaching.session(phantom_scan(), **properties), timeout=60.0).assert_failed(words)
