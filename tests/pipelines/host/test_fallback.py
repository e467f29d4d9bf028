"""Methods that fail, over a real socket: another serves and says so, or the scan ends with the cause. Never in silence.

Pipelines lie where the server looks for its own: clients cannot name files.
"""

import json
from dataclasses import replace

import pytest
import torch

from gadgets.mri.methods import create
from gadgets.mri.methods.modl import ModlNetwork
from gadgets.mri.methods.varnet import VarnetNetwork
from gadgets.mri.models.card import read
from tests.support.models import damaged, untrained
from tests.support.phantom_scan import phantom_scan
from tests.support.server import node, pipeline, serving

GADGETS = [
    "acquisition_accumulate_trigger",
    "bucket_to_buffer",
    "reconstruct",
    "image_array_split",
    "complex_to_float",
    "image_finish",
]


def around(**properties):
    """A pipeline around `reconstruct` with the given properties, as XML."""
    given = {"acquisition_accumulate_trigger": {"trigger_dimension": "slice"}, "reconstruct": properties}
    return pipeline(*[node(name, f"gadgets.{name}", **given.get(name, {})) for name in GADGETS])


@pytest.fixture
def ask(server, pipelines_folder):
    """Sends a scan through a pipeline of the server's own."""

    def send(scan, **properties):
        file.write_bytes(around(**properties))
        return server.ask(*scan.session("guarded"))

    file = pipelines_folder / "guarded.xml"
    yield send
    file.unlink()


def modl(folder, **card):
    return untrained("modl", ModlNetwork, folder, **card)


def corrupted(folder):
    path = modl(folder)
    weights = path.with_suffix(".safetensors")
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    return path


def without_weights(folder):
    path = modl(folder)
    path.with_suffix(".safetensors").unlink()
    return path


def narrower(folder):
    """The card says that the network has fewer channels than its weights."""
    path = modl(folder)
    replace(read(path), network={"width": 16}).write(path)
    return path


def not_a_number(folder):
    return damaged(modl(folder), lambda weights: torch.full_like(weights, torch.nan))


SHORT = "tests.support.methods.short_of_memory"
# How to make it -> properties of `reconstruct`, and what is said.
CAUSES = {
    "fewer coils": (lambda folder: {"model": modl(folder, coils=(8, 32))}, "coils: 6, the model is for 8 to 32"),
    "matrix": (lambda folder: {"model": modl(folder, matrix=(64, 512))}, "points along y: 32, the model is for 64"),
    "acceleration": (lambda folder: {"model": modl(folder, acceleration=(2, 8))}, "acceleration: 1.33, the model"),
    "trajectory": (lambda folder: {"model": modl(folder, trajectory="radial")}, "the trajectory is cartesian"),
    "field": (lambda folder: {"model": modl(folder, field_tesla=(1, 2))}, "the field is 3.0 T, the model is for 1 to"),
    "not finite": (lambda folder: {"model": not_a_number(folder)}, "points of 1024 that are NaN or infinite"),
    "corrupted": (lambda folder: {"model": corrupted(folder)}, "are not those of its card"),
    "no weights": (lambda folder: {"model": without_weights(folder)}, "has no weights"),
    "no model": (lambda folder: {"model": "absent"}, "there is no model 'absent'"),
    "another network": (lambda folder: {"model": narrower(folder)}, "do not fit its network"),
    "another method": (
        lambda folder: {"model": untrained("varnet", VarnetNetwork, folder)},
        "is for the method varnet, not for modl",
    ),
    "deadline": (
        lambda folder: {"model": modl(folder), "deadline": 1e-6},
        "TimeoutError: not done within the limit of 1e-06 s",
    ),
    "memory": (lambda folder: {"method": SHORT}, "OutOfMemoryError: CUDA out of memory. Tried to allocate 20.00 GiB"),
    "memory of the host": (lambda folder: {"method": SHORT, "host": "true"}, "MemoryError"),
}


@pytest.fixture(params=CAUSES)
def cause(request, tmp_path):
    """Properties of `reconstruct`, and what is to be said."""
    made, words = CAUSES[request.param]
    return {"method": "modl"} | {name: str(value) for name, value in made(tmp_path).items()}, words


@pytest.fixture(scope="module")
def scan():
    return phantom_scan(slices=2, field=3.0)


def test_another_method_serves_and_says_so(server, ask, cause, scan):
    properties, words = cause
    asked = properties["method"]
    settings = {name: value for name, value in properties.items() if name not in ("method", "deadline")}
    reply = ask(scan, **properties, fallback="cg_sense")
    expected = ask(scan, method="cg_sense").images
    assert reply.errors == [] and reply.closed
    # One text, at once and so ahead of the images, and the same line in the log.
    (warning,) = [text for text in reply.texts if text.startswith("WARNING ")]
    (index,) = [index for index, item in enumerate(reply.items) if getattr(item, "text", None) == warning]
    assert reply.images[0] not in reply.items[:index]
    assert f"{asked} failed at slice 0, repetition 0: " in warning and words in warning
    assert warning.endswith("; cg_sense reconstructs from here on")
    assert warning.removeprefix("WARNING ") in server.log
    assert len(reply.images) == len(expected) == 2
    for image, other in zip(reply.images, expected, strict=True):
        # What cg_sense makes is what it makes when it is asked for.
        assert abs(image.data - other.data).max() <= 1e-6 * other.data.max()
        meta, short = image.meta, f"cg_sense in place of {asked}"
        for name in ("ImageComments", "GADGETRON_ImageComment"):
            assert meta[name].startswith(short) and words in meta[name]
        for name in ("SeriesDescription", "SequenceDescriptionAdditional", "GADGETRON_SeqDescription"):
            assert short in meta[name]
        assert meta["ReconInsteadOf"] == repr(create(asked, settings)) and words in meta["ReconReason"]
        assert meta["ReconMethod"] == repr(create("cg_sense"))
        assert "ReconModel" not in meta
        assert "ReconInsteadOf" not in other.meta and "in place of" not in other.meta["ImageComments"]


def test_without_another_the_scan_ends_with_the_cause(ask, cause, scan):
    properties, words = cause
    reply = ask(scan, **properties)
    reply.assert_failed("[reconstruct] ", f"{properties['method']} at slice 0, repetition 0: ", words)
    assert reply.images == []


def test_one_that_fails_too_is_named_with_the_first(ask, scan):
    reply = ask(scan, method="modl", model="absent", fallback=SHORT)
    reply.assert_failed(f"{SHORT} at slice 0", "in place of modl", "no model 'absent'", "OutOfMemoryError")
    assert reply.images == []


@pytest.mark.parametrize(
    "properties, words",
    [
        ({"method": "modll", "fallback": "cg_sense"}, "no method 'modll'"),
        ({"method": "varnet", "fallback": "cg_sense"}, "Varnet needs the settings model"),
        ({"method": "modl", "model": "absent", "fallback": "cg"}, "no method 'cg'"),
        ({"method": "modl", "model": "absent", "iterations": 3, "fallback": "rss"}, "Modl has no setting iterations"),
        ({"method": "rss", "fallback": "varnet"}, "Varnet needs the settings model"),
        ({"method": "rss", "deadline": -1}, "deadline is -1.0, expected 0 seconds or more"),
    ],
)
def test_what_is_wrong_in_the_configuration_is_refused_whatever_could_serve(ask, scan, properties, words):
    reply = ask(scan, **properties)
    reply.assert_failed(words)
    assert reply.images == []


@pytest.mark.parametrize("preloaded", [False, True])
def test_a_second_scan_reads_no_weights(tmp_path, preloaded):
    """On a server of its own, which has read no model before; with --preload the first scan reads none either. The
    records say so, and where the time went.
    """
    model, records, replies = modl(tmp_path), tmp_path / "records", []
    folder = tmp_path / "share" / "gadgetron" / "config"
    folder.mkdir(parents=True)
    (folder / "deep.xml").write_bytes(around(method="modl", model=model, qa=records, fallback="cg_sense"))
    options = ["--preload", f"modl={model}"] if preloaded else []
    with serving(tmp_path, "--workers", "1", *options, GADGETRON_HOME=str(tmp_path)) as server:
        for number in range(2):
            # When the server has ended the connection, the record is complete.
            reply = server.ask(*phantom_scan(slices=2, measurement=f"scan {number}").session("deep"), timeout=60.0)
            assert [text for text in reply.texts if not text.startswith("INFO")] == []
            assert [image.meta["ReconModel"] for image in reply.images] == ["untrained_modl"] * 2
            replies.append(reply)
        if preloaded:
            server.wait_for_log(r"modl=\S+ is preloaded, in ")
    found = [json.loads(next(records.glob(f"scan_{number}_*.json")).read_text()) for number in range(2)]
    assert [record["weights"]["read_seconds"] > 0 for record in found] == [not preloaded, False]
    assert [record["weights"]["reads"] for record in found] == [int(not preloaded), 0]
    assert [record["outcome"] for record in found] == ["complete"] * 2
    for record, reply in zip(found, replies, strict=True):
        seconds = record["gadget_seconds"]
        assert list(seconds) == GADGETS and min(seconds.values()) > 0
        spent = [one["reconstruction_seconds"] for one in record["slices"]]
        assert sum(spent) + record["weights"]["read_seconds"] <= seconds["reconstruct"] < reply.seconds
        assert spent[0] <= record["first_image_latency_seconds"] < reply.seconds


def test_a_model_that_cannot_be_preloaded_is_an_error_in_the_log_and_scans_are_served(tmp_path):
    with serving(tmp_path, "--preload", "modl=absent") as server:
        reply = server.ask(*phantom_scan().session("cartesian_sense"), timeout=60.0)
        assert reply.errors == [] and len(reply.images) == 1
        server.wait_for_log("modl=absent is not preloaded: there is no model 'absent'")
