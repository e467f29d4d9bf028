"""Images in units of SNR: their noise is 1, whatever the gadgets before have done to it."""

import ismrmrd
import numpy as np
import pytest
import torch

from gadgets.coil_sensitivities import coil_sensitivities
from gadgets.gfactor import gfactor
from gadgets.mri.kspace import KSpace
from gadgets.mri.methods.sense import Sense
from gadgets.mri.phantom.scan import cartesian
from gadgets.outputs.images import split
from gadgets.stream.connection import Connection
from gadgets.stream.transport import MemoryTransport
from pipelines.clients.dataset import Dataset
from pipelines.clients.replay import find, replay
from pipelines.clients.simulate import Scan, header_xml
from tests.support.buffers import recon_buffer, recon_data
from tests.support.scans import run_chain
from tests.support.streams import configuration, run

REPETITIONS = 24
SCAN = Scan(matrix=(48, 48, 1), coils=8, slices=2, repetitions=REPETITIONS, acceleration=(3, 1), acs=20)
BUFFERS = [
    "remove_ro_oversampling",
    ("acquisition_accumulate_trigger", {"trigger_dimension": "repetition", "sorting_dimension": "slice"}),
    ("bucket_to_buffer", {"split_slices": True}),
]


def buffers(scan=SCAN, describe=True, noise=0.01, whiten=True, **adjust):
    steps = [("simulate", {"noise": noise})]
    steps += [("noise_adjust", {"describe_channels": describe, **adjust})] if whiten else []
    return run_chain([], header_xml(scan), [*steps, *BUFFERS])


def series(sent):
    """Images by series, pixels (y, x)."""
    found = {}
    for item in sent:
        for image in split(item):
            found.setdefault(image.image_series_index, []).append(image)
    return found


@pytest.fixture(scope="module")
def scanned():
    return buffers()


@pytest.mark.parametrize("method", ["sense", "grappa"])
def test_noise_is_one_in_images_in_units_of_snr(scanned, method):
    found = series(run(gfactor, scanned, header_xml(SCAN), method=method))
    assert sorted(found) == [0, 20]
    assert all(len(images) == 2 * REPETITIONS for images in found.values())
    for number in (0, 1):
        pixels = np.stack([image.data[0, 0] for image in found[0] if image.slice == number])
        inside = abs(pixels[0]) > 0
        if method == "grappa":
            assert inside.all()
        # A variance over 24 repetitions, averaged over about 1000 points of which three fold onto each other.
        points = inside.sum() / 3
        variance = pixels.real.var(axis=0, ddof=1)[inside].mean(), pixels.imag.var(axis=0, ddof=1)[inside].mean()
        assert np.allclose(variance, 1, atol=4 * np.sqrt(2 / (REPETITIONS - 1) / points) + 0.02)
        assert abs(pixels).max() > 10
        g = next(image for image in found[20] if image.slice == number).data[0, 0]
        assert not g.imag.any()
        # GRAPPA's kernels keep what is signal, to the noise they were fitted with; where there is none, they may damp.
        inside = g.real > 0 if method == "sense" else abs(pixels).mean(axis=0) > 10
        assert g.real[inside].min() >= (1 - 1e-5 if method == "sense" else 0.9)
        assert 1.05 < g.real[inside].max() < 10


def test_maps_of_g_are_those_of_the_method():
    lines = np.arange(48) % 3 == 1
    kspace = cartesian((48, 48, 1), coils=8)
    kspace = 300 * kspace / abs(kspace).max() + unit_noise(kspace.shape)
    full = kspace[None, None, None]
    sent = run(gfactor, run(coil_sensitivities, [recon_data((recon_buffer(full, lines), recon_buffer(full)))]))
    _, g = (next(split(item)) for item in sent)
    whole = torch.from_numpy(full.astype(np.complex64))
    mask = torch.from_numpy(lines)[:, None].expand(1, 1, 1, 1, 1, 48, 48)
    expected = Sense().unmixing(KSpace(data=whole * mask, mask=mask), Sense().calibrate(KSpace.from_data(whole)))
    np.testing.assert_allclose(g.data[0, 0], expected.gfactor()[0, 0, 0, 0, 0].numpy(), rtol=1e-4)


def unit_noise(shape, seed=0):
    generator = np.random.default_rng(seed)
    return generator.standard_normal(shape) + 1j * generator.standard_normal(shape)


def test_headers_and_meta_say_what_is_what(scanned):
    snr, g = (next(split(item)) for item in run(gfactor, scanned[:2], header_xml(SCAN), method="grappa")[:2])
    assert (snr.image_series_index, g.image_series_index) == (0, 20)
    assert (snr.image_type, g.image_type) == (ismrmrd.IMTYPE_COMPLEX, ismrmrd.IMTYPE_MAGNITUDE)
    assert (snr.meta["DataRole"], g.meta["DataRole"]) == ("SNR_MAP", "Gfactor")
    assert g.meta["GADGETRON_DataRole"] == "Gfactor"
    assert g.meta["ImageComments"].startswith("Gfactor: Grappa(lines=4")
    for name in ("position", "read_dir", "phase_dir", "slice_dir", "field_of_view", "matrix_size", "slice"):
        assert np.array_equal(getattr(snr, name), getattr(g, name))
    assert (snr.image_index, g.image_index) == (1, 1)


def test_replicas_give_the_noise_of_any_method(scanned):
    one = scanned[:2]
    theory = series(run(gfactor, one, header_xml(SCAN), method="sense"))
    found = series(run(gfactor, one, header_xml(SCAN), method="sense", replicas=40))
    assert sorted(found) == [0, 25]
    assert found[25][0].meta["DataRole"] == "STD_MAP"
    a, b = (abs(images[0][0].data[0, 0]) for images in (theory, found))
    # Standard deviations from 40 replicas are good to 11 %.
    ratio = (b / np.where(a > 0, a, 1))[a > 0]
    assert abs(np.median(ratio) - 1) < 0.02
    assert np.std(ratio) < 1.2 * 0.113
    (_, iterated) = run(gfactor, one, header_xml(SCAN), method="cg_sense", replicas=4)[-2:]
    assert np.isfinite(iterated.data).all() and iterated.data.any()


def test_voxels_stay_those_that_were_encoded():
    kspace = unit_noise((1, 1, 1, 4, 1, 32, 48))
    sent = run(
        gfactor,
        [recon_data(recon_buffer(kspace, recon_fov=(64, 64, 2), recon_matrix=(128, 128, 1)))],
        method="grappa",
    )
    for item in sent:
        (image,) = split(item)
        assert tuple(image.matrix_size) == (32, 32, 1) or image.data.shape == (1, 1, 32, 32)
        assert tuple(image.field_of_view) == (64, 64, 2)


@pytest.mark.parametrize("factor", [0.01, 50])
def test_noise_that_was_not_adjusted_is_refused(factor):
    kspace = factor * (100 * cartesian((32, 32, 1), coils=6) + unit_noise((6, 1, 32, 32)))
    items = [recon_data(recon_buffer(kspace[None, None, None]))]
    with pytest.raises(ValueError, match="noise in the data seems to have a standard deviation of .*, not 1: units of"):
        run(gfactor, items)
    assert run(gfactor, [recon_data(recon_buffer(kspace[None, None, None] / factor))])


def test_the_word_of_noise_adjust_is_believed_and_kept_here():
    """Strong signal up to the corners of k-space looks like noise."""
    signal = 1e3 * unit_noise((2, 1, 32, 32), seed=1)[None, None, None]
    items = [recon_data(recon_buffer(signal))]
    with pytest.raises(ValueError, match="noise_adjust with a noise measurement"):
        run(gfactor, items)
    whitened = buffers(Scan(matrix=(32, 32, 1), coils=2, acs=0))
    (message,) = [item for item in whitened if isinstance(item, ismrmrd.Waveform)]
    sent = run(gfactor, [message, *items])
    assert len(sent) == 2 and message not in sent


def test_simulated_scans_without_noise_adjustment_are_refused():
    with pytest.raises(ValueError, match="at slice 0, repetition 0: noise in the data"):
        run(gfactor, buffers(Scan(matrix=(48, 48, 1), coils=8), whiten=False))


def test_scans_off_the_grid_are_refused(scanned):
    radial = header_xml(SCAN).replace(b"<trajectory>cartesian", b"<trajectory>radial")
    with pytest.raises(ValueError, match="encoding space 0 is radial; gfactor takes only cartesian, epi"):
        run(gfactor, scanned[:2], radial)


def test_methods_without_theory_need_replicas():
    with pytest.raises(ValueError, match="no theory of the noise of cg_sense: set replicas.* methods grappa, sense"):
        run(gfactor, [], method="cg_sense")
    for number in (-1, 1):
        with pytest.raises(ValueError, match=f"replicas is {number}, expected 0 for theory, or 2 or more"):
            run(gfactor, [], replicas=number)


def test_other_items_pass():
    image = ismrmrd.Image.from_array(np.ones((4, 4), np.float32), transpose=False)
    transport = MemoryTransport([image])
    gfactor(Connection(transport, configuration(), header_xml(SCAN)))
    assert transport.sent == [image]


def test_the_pipeline_sends_float_images_of_unit_noise():
    """Where SNR is high, the magnitude has the noise of the real part. Coil compression is on the way."""
    scan = Scan(matrix=(48, 48, 1), coils=12, repetitions=REPETITIONS, acceleration=(2, 1), acs=24)
    items = replay(find("snr_gfactor"), header_xml(scan), replay(find("simulate"), header_xml(scan), ()))
    made = [item for item in items if isinstance(item, ismrmrd.Image)]
    assert {(image.image_series_index, image.data.dtype.name) for image in made} == {(0, "float32"), (20, "float32")}
    snr = np.stack([image.data[0, 0] for image in made if image.image_series_index == 0])
    bright = snr.mean(axis=0) > 10
    assert bright.sum() > 150
    # A variance over 24 repetitions at some 200 points, two of which fold onto each other.
    assert abs(snr.var(axis=0, ddof=1)[bright].mean() - 1) < 4 * np.sqrt(2 / (REPETITIONS - 1) / 100) + 0.02


@pytest.mark.data
@pytest.mark.parametrize("acceleration", [2, 3])
def test_the_air_around_a_brain_has_unit_noise(data_dir, acceleration):
    """In air, the magnitude of complex noise of unit standard deviation has the mean square 2. This noise scan was made
    of the data's own air, so that the bandwidth which noise_adjust allows for, 0.793, is not in it."""
    with Dataset(data_dir / "mrd" / f"brain_gre_3T_16ch_retroR{acceleration}_acs24_noise.h5") as dataset:
        items = replay(find("snr_gfactor"), dataset.header, dataset.items())
        snr, g = (item.data[0, 0] for item in items if isinstance(item, ismrmrd.Image))
    corners = np.stack([snr[:12, :12], snr[:12, -12:], snr[-12:, :12], snr[-12:, -12:]])
    assert abs(np.sqrt((corners**2).mean() / 2) - 0.793**0.5) < 0.1
    head = snr > 20
    assert head.mean() > 0.2
    assert 1 < np.median(g[head]) < 1.25
    # Below 1 here and there: kernels that are damped by the noise give up some signal for less of it.
    assert np.quantile(g[head], 0.01) > 0.9 and g[head].min() > 0.8


@pytest.mark.gpu
@pytest.mark.parametrize("method", ["sense", "grappa"])
def test_a_gpu_makes_the_same_images(scanned, method):
    if not torch.cuda.is_available():
        pytest.skip("there is no GPU")
    found, expected = (
        run(gfactor, scanned[:2], header_xml(SCAN), device=device, method=method) for device in ("cuda", "cpu")
    )
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a.data, b.data, rtol=1e-3, atol=1e-3 * abs(b.data).max())
