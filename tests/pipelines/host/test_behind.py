"""Fits behind the scan, over a real socket: previews, progress, deadlines, clients that leave, warm starts."""

import json
import re
import time

import numpy as np
import pytest

from gadgets.mri.methods import create
from gadgets.stream.control import Config
from tests.support.phantom_scan import phantom_scan
from tests.support.server import children, node, pipeline, serving, wait_until
from tests.support.small_scan import small_scan

SLOW = "tests.support.methods.slow_fit"
EVER = 100_000


def nodes(**properties):
    """`reconstruct` by a method that takes long, and what goes before it."""
    return [
        node("acquisition_accumulate_trigger", "gadgets.acquisition_accumulate_trigger", trigger_dimension="slice"),
        node("bucket_to_buffer", "gadgets.bucket_to_buffer"),
        node("reconstruct", "gadgets.reconstruct", **{"method": SLOW} | properties),
    ]


@pytest.fixture
def session(pipelines_folder):
    """What a client sends for a scan, through a pipeline of the server's own."""

    def items(scan, **properties):
        after = [node(name, f"gadgets.{name}") for name in ("image_array_split", "image_finish")]
        file.write_bytes(pipeline(*nodes(**properties), *after))
        return scan.session("behind")

    file = pipelines_folder / "behind.xml"
    yield items
    file.unlink()


@pytest.fixture(scope="module")
def scan():
    return phantom_scan(slices=3)


def parts(items):
    """What a client sends for three slices, parted behind the lines that tell that a slice is complete."""
    per = (len(items) - 3) // 3
    first, second = 3 + per, 3 + 2 * per
    return items[:first], items[first:second], items[second:]


def next_image(client):
    while not hasattr(found := client.next(), "image_series_index"):
        assert found is not None
    return found


def progress_of(reply):
    return [text for text in reply.texts if re.match(r"INFO    .* at slice \d, .*: \d+ of \d+ iterations, loss ", text)]


# -- previews


def test_previews_come_at_once_and_the_images_when_they_are_done(server, session, scan, tmp_path):
    """Each slice's preview comes while the first slice is still being fitted, and before the next one is sent."""
    done = tmp_path / "done"
    items = session(scan, preview="cg_sense", until=done, warm_start="false")
    with server.client(60.0) as client:
        early = []
        for part in parts(items):
            client.send(*part)
            early.append(next_image(client))
        assert [image.image_series_index for image in early] == [100] * 3
        done.touch()
        reply = client.read()
    final = reply.images
    assert reply.errors == [] and reply.closed
    assert [image.image_series_index for image in final] == [0] * 3
    for one in (early, final):
        assert [(image.slice, image.image_index) for image in one] == [(0, 1), (1, 2), (2, 3)]
    # What each is, is what it is when it is asked for alone.
    for images, properties in ((early, {"method": "cg_sense"}), (final, {"until": done, "warm_start": "false"})):
        expected = server.ask(*session(scan, **properties), timeout=60.0).images
        for image, other in zip(images, expected, strict=True):
            assert abs(image.data - other.data).max() <= 1e-6 * abs(other.data).max()
    method = repr(create(SLOW, {"until": str(done)}))
    for image in early:
        assert image.meta["ReconPreliminary"] == image.meta["ImageComments"].partition("followed by ")[2] == method
        assert image.meta["ReconMethod"] == repr(create("cg_sense"))
        for name in ("SeriesDescription", "SequenceDescriptionAdditional", "ImageComments", "GADGETRON_ImageComment"):
            assert "preliminary" in image.meta[name]
    for image in final:
        assert image.meta["ReconMethod"] == method
        assert "preliminary" not in image.attribute_string.lower()


def test_without_a_preview_there_is_but_one_series(server, session, scan):
    reply = server.ask(*session(scan), timeout=60.0)
    assert [image.image_series_index for image in reply.images] == [0] * 3


def test_a_fit_that_fails_behind_the_scan_is_replaced(server, session, scan):
    reply = server.ask(*session(scan, preview="rss", fallback="cg_sense", fails="true"), timeout=60.0)
    (warning,) = [text for text in reply.texts if text.startswith("WARNING")]
    assert warning.endswith(
        "slow_fit failed at slice 0, repetition 0: ArithmeticError: broken at the last iteration; "
        "cg_sense reconstructs from here on"
    )
    assert reply.errors == [] and reply.closed
    assert sorted(image.image_series_index for image in reply.images) == [0] * 3 + [100] * 3
    for image in reply.images:
        assert ("in place of" in image.meta["ImageComments"]) == (image.image_series_index == 0)


def test_a_fit_that_fails_behind_the_scan_ends_it_where_nothing_replaces_it(server, session, scan):
    reply = server.ask(*session(scan, preview="rss", fails="true"), timeout=60.0)
    reply.assert_failed("[reconstruct] ", "slow_fit at slice 0, repetition 0", "broken at the last iteration")
    assert {image.image_series_index for image in reply.images} <= {100}


def test_a_preview_that_fails_is_told_of_and_the_images_come(server, session, scan):
    reply = server.ask(*session(scan, preview="tests.support.methods.short_of_memory"), timeout=60.0)
    warnings = [text for text in reply.texts if text.startswith("WARNING")]
    assert len(warnings) == 3 and all("no preliminary images: " in text for text in warnings)
    assert reply.errors == []
    assert [image.image_series_index for image in reply.images] == [0] * 3


@pytest.mark.parametrize(
    "preview, words", [(SLOW, "takes long"), ("cg", "no method 'cg'"), ("varnet", "needs the settings model")]
)
def test_what_is_no_preview_is_refused(server, session, scan, preview, words):
    server.ask(*session(scan, preview=preview)).assert_failed(words)


# -- progress, and clients that leave


def test_progress_is_told_while_it_runs(server, session):
    reply = server.ask(*session(phantom_scan(), iterations=30, seconds=0.15), timeout=60.0)
    (image,) = reply.images
    told = progress_of(reply)
    # At once, and then every two seconds, of which there are at least two in 4.5 s.
    assert 3 <= len(told) <= reply.seconds / 2 + 1
    counts = [int(re.search(r"(\d+) of 30 iterations", text)[1]) for text in told]
    assert counts[0] == 1 and counts == sorted(set(counts)) and counts[-1] <= 30
    items = [getattr(item, "text", None) for item in reply.items]
    assert items.index(told[-1]) < reply.items.index(image)
    assert told[-1].removeprefix("INFO    ") in server.log


def test_what_a_fit_finds_is_told_once_and_stays_with_each_image(server, session, scan, tmp_path):
    reply = server.ask(*session(scan, finds="its phase is odd", qa=tmp_path), timeout=60.0)
    assert len(reply.images) == 3
    told = [text for text in reply.texts if "its phase is odd" in text]
    assert [text.strip() for text in told] == [f"INFO    {SLOW} at slice 0, repetition 0: its phase is odd"]
    assert told[0].removeprefix("INFO    ") in server.log
    for image in reply.images:
        assert image.meta["ReconRemarks"] == "its phase is odd"
        assert image.meta["ImageComments"].startswith(f"{SLOW}: its phase is odd; SlowFit(")
    (record,) = records(tmp_path)
    assert [one["remarks"] for one in record["slices"]] == [["its phase is odd"]] * 3


def wait_for_progress(client):
    while "iterations, loss" not in getattr(item := client.next(), "text", ""):
        assert item is not None


@pytest.mark.parametrize("preview", ["", "rss"])
@pytest.mark.parametrize("when", ["after the last data", "while it sends"])
def test_a_fit_ends_when_its_client_leaves(server, session, scan, preview, when):
    """A fit that would take hours; the worker goes on to the next scan."""
    (worker,) = server.workers
    logged = len(server.log)
    items = session(scan, preview=preview, iterations=EVER, seconds=0.1)
    with server.client(60.0) as client:
        client.send(*(items if when == "after the last data" else items[:-3]))
        wait_for_progress(client)
    left = time.monotonic()
    # Noticed by the next text, two seconds later at most, and then by the next look of the fit.
    assert server.ask(*small_scan().session(), timeout=60.0).images
    assert time.monotonic() - left < 20
    assert server.workers == [worker]
    assert "failed" not in server.log[logged:] and "did not stop" not in server.log[logged:]


@pytest.mark.slow
def test_the_process_of_a_gadget_ends_when_its_client_leaves(tmp_path, scan):
    """The same where gadgets are processes; what they tell goes to the client, too."""
    with serving(tmp_path, "--isolate", "--allow", "tests.support.methods") as server:
        server.wait_for_log("listening")
        (worker,) = wait_until(lambda: server.workers)
        with server.client(120.0) as client:
            client.send(Config(pipeline(*nodes(iterations=EVER, seconds=0.1))), *scan.session("")[1:])
            wait_for_progress(client)
            assert children(worker)
        wait_until(lambda: not children(worker), 15.0)
        assert server.workers == [worker]


# -- deadlines and warm starts


def records(folder):
    return [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]


def test_a_deadline_ends_a_fit_with_what_it_has(server, session, scan, tmp_path):
    properties = {"iterations": EVER, "warm_iterations": EVER, "seconds": 0.02, "deadline": 0.5}
    reply = server.ask(*session(scan, **properties, fallback="cg_sense", qa=tmp_path), timeout=60.0)
    assert [text for text in reply.texts if not text.startswith("INFO")] == []
    assert len(reply.images) == 3
    (record,) = records(tmp_path)
    for image, one in zip(reply.images, record["slices"], strict=True):
        stopped = re.fullmatch(r"after (\d+) of 100000 iterations by the deadline of 0.5 s", image.meta["ReconStopped"])
        assert one["iterations"] == [int(stopped[1]), EVER] and one["stopped_by_deadline"]
        assert 0 < int(stopped[1]) <= 25
        assert image.meta["ImageComments"].startswith(f"stopped {image.meta['ReconStopped']}; SlowFit(")
        assert "ReconInsteadOf" not in image.meta
    assert record["failures"] == []


def test_the_second_slice_starts_from_the_first(server, session, scan, tmp_path):
    properties = {"iterations": 60, "warm_iterations": 6, "seconds": 0.02}
    folder = tmp_path / "warm"
    reply = server.ask(*session(scan, **properties, qa=folder), timeout=60.0)
    (record,) = records(folder)
    assert [one["iterations"][0] for one in record["slices"]] == [60, 6, 6]
    assert [one["start"] for one in record["slices"]] == [None, "slice 0, repetition 0", "slice 1, repetition 0"]
    first, *others = [one["reconstruction_seconds"] for one in record["slices"]]
    assert max(others) <= first / 3
    starts = [image.meta.get("ReconStart") for image in reply.images]
    assert starts == [None, "slice 0, repetition 0", "slice 1, repetition 0"]
    cold = server.ask(*session(scan, **properties, warm_start="false", qa=tmp_path / "cold"), timeout=60.0)
    (record,) = records(tmp_path / "cold")
    assert [one["iterations"][0] for one in record["slices"]] == [60] * 3
    assert not any("ReconStart" in image.meta for image in cold.images)
    # Started from what is found already, it ends at the same.
    for image, other in zip(reply.images, cold.images, strict=True):
        assert np.linalg.norm(image.data - other.data) <= 0.05 * np.linalg.norm(other.data)
