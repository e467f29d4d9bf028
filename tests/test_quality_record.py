"""What is recorded of a scan."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from gadgets.mri.methods import create
from gadgets.mri.methods.modl import ModlNetwork
from gadgets.mri.models.card import read
from gadgets.mri.phantom.scan import cartesian
from gadgets.outputs.images import split
from gadgets.reconstruct import preload, reconstruct
from gadgets.stream.connection import Connection
from gadgets.stream.transport import MemoryTransport
from pipelines.clients.replay import find, replay, with_settings
from tests.support.buffers import recon_buffer, recon_data
from tests.support.models import damaged, untrained
from tests.support.phantom_buffer import LINES, phantom_buffer
from tests.support.radial_acquisitions import acquisitions, header
from tests.support.streams import configuration, header_xml, run


def images(sent):
    return [image for item in sent for image in split(item)]


@pytest.fixture
def model(tmp_path):
    return untrained("modl", ModlNetwork, tmp_path)


def records(folder):
    return [json.loads(path.read_text()) for path in sorted(folder.iterdir())]


def test_the_record_of_a_scan(model, tmp_path):
    header = header_xml((32, 32, 1), measurement="a/b", field=1.5)
    items = [recon_data(phantom_buffer(0, 4)), recon_data(phantom_buffer(0, 4, repetition=1))]
    run(reconstruct, items, header, method="modl", model=model, fallback="rss", qa=tmp_path / "qa")
    (path,) = (tmp_path / "qa").iterdir()
    assert path.name.startswith("a_b_") and path.suffix == ".json"
    (record,) = records(tmp_path / "qa")
    assert (record["measurement"], record["outcome"], record["field_tesla"]) == ("a/b", "complete", 1.5)
    assert (record["method"], record["fallback"]) == (repr(create("modl", {"model": str(model)})), "Rss()")
    assert record["model"] == {"name": "untrained_modl", "sha256": read(model).sha256}
    assert record["weights"]["reads"] == 1 and record["weights"]["read_seconds"] > 0
    assert record["failures"] == []
    assert record["began"] <= record["ended"]
    slices = record["slices"]
    assert [(one["slice"], one["repetition"]) for one in slices] == [(0, 0), (1, 0), (0, 1), (1, 1)]
    assert all(one["coils"] == 6 and one["method"] == "modl" for one in slices)
    assert all(one["acceleration"] == pytest.approx(32 / LINES.sum()) for one in slices)
    assert all(0.2 < one["support"] < 1 and 0 < one["residual"][0] < 0.2 for one in slices)
    # Calibrated once for each slice.
    assert [one["calibration_seconds"] is not None for one in slices] == [True, True, False, False]
    spent = [one["reconstruction_seconds"] + (one["calibration_seconds"] or 0) for one in slices]
    assert record["first_image_seconds"] >= sum(spent[:2])
    # A gadget by itself knows no other, nor when acquisitions came.
    assert list(record["gadget_seconds"]) == ["reconstruct"]
    assert record["gadget_seconds"]["reconstruct"] >= sum(spent)
    assert record["first_image_latency_seconds"] is None
    run(reconstruct, items[:1], method="modl", model=model, qa=tmp_path / "qa")
    assert sorted(one["weights"]["reads"] for one in records(tmp_path / "qa")) == [0, 1]
    assert min(one["weights"]["read_seconds"] for one in records(tmp_path / "qa")) == 0


def test_the_record_knows_the_noise(tmp_path):
    """From 410 samples of 6 channels: too small by a share of sqrt(6 / 410) = 0.12; medians vary by 0.04."""
    noise = np.random.default_rng(0).normal(0, 0.3, (1, 1, 1, 6, 1, 64, 64, 2)).view(complex)[..., 0]
    noisy = recon_buffer(cartesian((64, 64, 1), coils=6)[None, None, None] + noise)
    run(reconstruct, [recon_data(noisy)], qa=tmp_path / "qa")
    assert records(tmp_path / "qa")[0]["noise_level"] == pytest.approx(0.3, rel=0.3)


@pytest.mark.parametrize("sigma", [0.3, 3.0])
def test_the_record_knows_the_noise_along_spokes(sigma, tmp_path):
    """At the ends of 76 spokes, 730 samples of 6 channels: too small by 0.09, and medians vary by 0.04. The phantom has
    a standard deviation of 0.1 there, and less in what the channels see least of.
    """
    random = np.random.default_rng(0)
    items = acquisitions(76)
    for one in items:
        one.data[:] += random.normal(0, sigma, (*one.data.shape, 2)).view(complex)[..., 0]
    settings = {"reconstruct.method": "gridding", "reconstruct.qa": str(tmp_path / "qa")}
    # Neither noise adjustment nor coil compression, which changes what the noise is.
    assert list(replay(without(with_settings(find("radial_sense"), settings)), header(76), items))
    assert records(tmp_path / "qa")[0]["noise_level"] == pytest.approx(sigma, rel=0.2)


def without(pipeline, *, names=("noise_adjust", "coil_compression")):
    return replace(pipeline, nodes=tuple(node for node in pipeline.nodes if node.label not in names))


def test_the_record_of_a_scan_with_a_fallback(tmp_path):
    model = damaged(untrained("modl", ModlNetwork, tmp_path), lambda weights: torch.full_like(weights, torch.nan))
    properties = {"method": "modl", "model": model, "fallback": "cg_sense", "qa": tmp_path / "qa"}
    run(reconstruct, [recon_data(phantom_buffer(0, 4))], **properties)
    (record,) = records(tmp_path / "qa")
    (failure,) = record["failures"]
    assert (failure["method"], failure["instead"], failure["slice"]) == ("modl", "cg_sense", 0)
    assert "NaN" in failure["reason"]
    assert [one["method"] for one in record["slices"]] == ["cg_sense"] * 2
    assert all(0 < one["residual"][0] < 0.2 for one in record["slices"])


def test_a_scan_that_fails_half_way_is_recorded_as_far_as_it_came(tmp_path):
    wrong = phantom_buffer(0, repetition=1)
    wrong.data[3, 4] = np.nan
    with pytest.raises(ValueError, match="repetition 1"):
        run(reconstruct, [recon_data(phantom_buffer(0)), recon_data(wrong)], qa=tmp_path / "qa")
    (record,) = records(tmp_path / "qa")
    assert "cg_sense at slice 0, repetition 1: k-space holds" in record["outcome"]
    assert [one["repetition"] for one in record["slices"]] == [0]


def test_a_record_that_cannot_be_written_is_a_warning_and_no_half_a_file(tmp_path, monkeypatch, caplog):
    def refuse(*_):
        raise OSError("the disk is full")

    monkeypatch.setattr("os.replace", refuse)
    (image,) = images(run(reconstruct, [recon_data(phantom_buffer(0))], qa=tmp_path / "qa"))
    assert abs(image.data).max() > 0
    assert list((tmp_path / "qa").iterdir()) == []
    assert "the quality record was not written: OSError: the disk is full" in caplog.text


def test_without_a_folder_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run(reconstruct, [recon_data(phantom_buffer(0))], qa="")
    assert list(tmp_path.iterdir()) == []


def test_what_was_preloaded_is_in_memory(model, tmp_path):
    assert preload("modl", str(model)) > 0
    run(reconstruct, [recon_data(phantom_buffer(0))], method="modl", model=model, qa=tmp_path / "qa")
    assert records(tmp_path / "qa")[0]["weights"] == {"reads": 0, "read_seconds": 0}
    with pytest.raises(ValueError, match="no model 'absent'"):
        preload("modl", "absent")
    with pytest.raises(ValueError, match="no setting model"):
        preload("rss", "absent")


def test_properties_may_be_given_as_values(tmp_path):
    transport = MemoryTransport([recon_data(phantom_buffer(0))])
    reconstruct(Connection(transport, configuration(), header_xml()), qa=tmp_path / "qa", deadline=60.0)
    assert len(records(tmp_path / "qa")) == 1
