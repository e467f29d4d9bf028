"""The gadgetron package's own examples run unchanged as nodes of our host, with the right images."""

import threading

import ismrmrd
import numpy as np
import pytest

from gadgets.mri.quality.errors import nrmse
from pipelines.clients.dataset import Dataset
from pipelines.clients.replay import find, replay
from pipelines.clients.simulate import Scan, header_xml
from pipelines.host.assembly import assemble
from pipelines.host.config import parse
from tests.support.scans import run_chain
from tests.support.server import node, pipeline

SCAN = Scan(matrix=(48, 40, 1), coils=4, slices=2, repetitions=2)
EXAMPLES = "gadgetron.examples"
PASS = node("pass_through", EXAMPLES)
READOUTS = node("remove_ro_oversampling", "gadgets.remove_ro_oversampling")
BUCKETS = node("acquisition_accumulate_trigger", "gadgets.acquisition_accumulate_trigger", trigger_dimension="slice")
BUFFERS = node("bucket_to_buffer", "gadgets.bucket_to_buffer", split_slices="true")
CHAINS = {
    "acquisitions": [node("recon_acquisitions", EXAMPLES)],
    "buckets": [READOUTS, BUCKETS, node("recon_buffers", EXAMPLES)],
    "buffers": [READOUTS, BUCKETS, BUFFERS, node("recon_buffers", EXAMPLES)],
    "acquisitions passed through": [PASS, PASS, node("recon_acquisitions", EXAMPLES), PASS],
    "buckets and buffers passed through": [READOUTS, BUCKETS, BUFFERS, PASS, node("recon_buffers", EXAMPLES), PASS],
}


@pytest.fixture(scope="module")
def scan():
    """The scan's header, its acquisitions, and the images of our own default pipeline."""
    header = header_xml(SCAN)
    lines = run_chain([], header, [("simulate", {"noise_scan": False})])
    return header, lines, images(find("default"), header, lines)


def images(chain, header, items, **options):
    return [item for item in replay(chain, header, items, **options) if isinstance(item, ismrmrd.Image)]


def by_place(images):
    return {(image.repetition, image.slice): image for image in images}


@pytest.mark.parametrize("isolate", [False, True], ids=["in this process", "as children"])
@pytest.mark.parametrize("name", CHAINS)
def test_an_example_makes_the_images_of_the_default_pipeline(scan, name, isolate):
    header, lines, expected = scan
    before = threading.active_count()
    made = images(parse(pipeline(*CHAINS[name]), name), header, lines, isolate=isolate)
    assert threading.active_count() == before
    assert [image.image_index for image in made] == [1, 2, 3, 4]
    ours = by_place(expected)
    assert sorted(by_place(made)) == sorted(ours) == [(0, 0), (0, 1), (1, 0), (1, 1)]
    for place, image in by_place(made).items():
        assert image.data.shape == (1, 1, 40, 48)
        assert nrmse(image.data, ours[place].data) < 1e-5
        assert image.image_type == ismrmrd.IMTYPE_MAGNITUDE
        np.testing.assert_allclose(tuple(image.field_of_view), tuple(ours[place].field_of_view))
        np.testing.assert_allclose(tuple(image.position), tuple(ours[place].position))


def test_a_server_runs_them_for_its_clients(scan):
    """They are among the modules that XML from clients may name."""
    steps = assemble(parse(pipeline(PASS, *CHAINS["acquisitions"]), "x"), trusted=False)
    assert [step.label for step in steps] == ["pass_through", "recon_acquisitions"]
    assert all(step.copying for step in steps)


@pytest.mark.data
@pytest.mark.parametrize("file", ["brain_gre_3T_16ch_full", "phantom_gre_3T_16ch_full"])
@pytest.mark.parametrize("name", ["acquisitions", "buckets", "buffers"])
def test_an_example_makes_the_images_of_a_scanner(data_dir, file, name):
    path = data_dir / "mrd" / f"{file}.h5"
    with Dataset(path) as dataset:
        (expected,) = images(find("default"), dataset.header, dataset.items())
    with Dataset(path) as dataset:
        (image,) = images(parse(pipeline(*CHAINS[name]), name), dataset.header, dataset.items())
    assert nrmse(image.data, expected.data) < 1e-5
