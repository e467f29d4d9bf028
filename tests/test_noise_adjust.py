import logging

import ismrmrd
import numpy as np
import pytest

from gadgets.noise_adjust import noise_adjust
from gadgets.stream.control import Text
from tests.support.splits import assert_same_acquisitions, outputs
from tests.support.streams import acquisition, acquisitions, header_xml, run

NOISE = [ismrmrd.ACQ_IS_NOISE_MEASUREMENT]
HEADER = header_xml(bandwidth=0.793)


@pytest.fixture(autouse=True)
def storage(tmp_path, monkeypatch):
    monkeypatch.setenv("DEEPGADGETS_STORAGE", str(tmp_path))
    return tmp_path


def gaussian(rng, *shape):
    return (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)).astype(np.complex64)


def mixing(rng, coils=4):
    return gaussian(rng, coils, coils) + 3 * np.eye(coils)


def scan(rng, coils=4, n=6, dwell=5.0, noise_dwell=2.5, samples=20000):
    """A noise acquisition, then acquisitions of nothing but the noise that they would have."""
    a = mixing(rng, coils).astype(np.complex64)
    noise = acquisition(a @ gaussian(rng, coils, samples), flags=NOISE, sample_time_us=noise_dwell)
    factor = np.float32(np.sqrt(noise_dwell / dwell / 0.793))
    data = [
        acquisition(factor * a @ gaussian(rng, coils, samples), sample_time_us=dwell, scan_counter=i + 1)
        for i in range(n)
    ]
    return [noise, *data]


def test_noise_has_unit_deviation_real_and_imaginary_and_no_correlation():
    sent = acquisitions(run(noise_adjust, scan(np.random.default_rng(1)), HEADER))
    assert len(sent) == 6
    samples = np.concatenate([a.data for a in sent], axis=1)
    parts = np.concatenate([samples.real, samples.imag])
    np.testing.assert_allclose(np.cov(parts), np.eye(8), atol=0.03)


def test_rows_of_samples_are_multiplied_as_gadgetron_does():
    noise, *data = scan(np.random.default_rng(2), n=1, samples=500)
    (sent,) = acquisitions(run(noise_adjust, [noise, *data], HEADER))
    # With rows of channels: C = X^H X / (n - 1) = R^H R, and Y R^-1.
    x, y = noise.data.T.astype(complex), data[0].data.T
    upper = np.linalg.cholesky(x.conj().T @ x / (len(x) - 1)).conj().T
    expected = y @ np.linalg.inv(upper) * np.sqrt(2 * 5.0 / 2.5 * 0.793)
    np.testing.assert_allclose(sent.data.T, expected, rtol=1e-4, atol=1e-5)


def test_each_dwell_time_has_its_own_factor():
    rng = np.random.default_rng(3)
    noise, first, second = scan(rng, n=2, samples=300)
    second.sample_time_us = 20.0
    one, other = acquisitions(run(noise_adjust, [noise, first, second], HEADER))
    alone = acquisitions(run(noise_adjust, [noise, acquisition(second.data)], HEADER))[0]
    np.testing.assert_allclose(other.data, 2 * alone.data, rtol=1e-5)
    assert one.sample_time_us == 5.0


def test_noise_of_several_dwell_times_counts_as_one():
    rng = np.random.default_rng(4)
    a = mixing(rng).astype(np.complex64)
    slow, fast = (
        acquisition(np.float32(np.sqrt(5 / dwell)) * a @ gaussian(rng, 4, 60000), flags=NOISE, sample_time_us=dwell)
        for dwell in (10.0, 5.0)
    )
    data = acquisition(gaussian(rng, 4, 8))
    both, one = (acquisitions(run(noise_adjust, [*n, data], HEADER))[0].data for n in ((slow, fast), (fast,)))
    np.testing.assert_allclose(both, one, rtol=0.03, atol=0.03)


def test_output_does_not_depend_on_how_acquisitions_arrive():
    items = [*scan(np.random.default_rng(5), n=20, samples=70), Text("late")]
    items.insert(9, Text("between"))
    for found in outputs(noise_adjust, items, HEADER):
        assert_same_acquisitions(found, outputs(noise_adjust, items, HEADER)[0])
        texts = [i.text for i in found if isinstance(i, Text)]
        assert texts == ["between", "late"]
    one_by_one = outputs(noise_adjust, items, HEADER)[1]
    assert isinstance(one_by_one[8], Text)


def test_without_noise_everything_passes_unchanged_and_it_is_said(caplog):
    data = scan(np.random.default_rng(6))[1:]
    assert_same_acquisitions(run(noise_adjust, data, HEADER), data)
    assert [r.getMessage() for r in caplog.records] == ["no noise measurement: the channels are not whitened"]


def test_perform_noise_adjust_false_drops_the_noise_alone():
    noise, *data = scan(np.random.default_rng(7))
    assert_same_acquisitions(run(noise_adjust, [noise, *data], HEADER, perform_noise_adjust=False), data)


def test_noise_statistics_are_logged(caplog):
    caplog.set_level(logging.INFO)
    noise, data = scan(np.random.default_rng(8), n=1)
    noise.data[:] = gaussian(np.random.default_rng(8), *noise.data.shape) * np.array([[1], [2], [3], [4]])
    run(noise_adjust, [noise, data], HEADER)
    assert "4 channels, 20000 samples, dwell 2.5 us" in caplog.text
    text = caplog.text.split("deviation ")[1]
    mean, least, largest = (float(word.strip(",\n").split()[1]) for word in text.split("\n")[0].split(", "))
    np.testing.assert_allclose((mean, least, largest), np.sqrt(2) * np.array([2.5, 1, 4]), rtol=0.02)


@pytest.mark.parametrize(
    ("bandwidth", "expected", "level"),
    [(None, 0.793, "INFO"), (0.0, 0.793, "WARNING"), (float("nan"), 0.793, "WARNING"), (1.5, 1.5, "WARNING")],
)
def test_missing_and_absurd_bandwidth_is_said(caplog, bandwidth, expected, level):
    caplog.set_level(logging.INFO)
    items = scan(np.random.default_rng(9), n=1, samples=300)
    (found,) = acquisitions(run(noise_adjust, items, header_xml(bandwidth=bandwidth)))
    (usual,) = acquisitions(run(noise_adjust, items, header_xml(bandwidth=1.0)))
    np.testing.assert_allclose(found.data, usual.data * np.sqrt(expected), rtol=1e-5)
    assert [r.levelname for r in caplog.records if "relativeReceiverNoiseBandwidth" in r.getMessage()] == [level]


@pytest.mark.parametrize("dwell", [0.0, -1.0, float("nan")])
def test_absurd_dwell_time_means_factor_one_and_is_said(caplog, dwell):
    items = scan(np.random.default_rng(10), n=2, samples=300)
    for a in items[1:]:
        a.sample_time_us = dwell
    found = acquisitions(run(noise_adjust, items, HEADER))
    usual = acquisitions(run(noise_adjust, [items[0], acquisition(items[1].data)], HEADER))[0]
    np.testing.assert_allclose(found[0].data * np.sqrt(4 * 0.793), usual.data, rtol=1e-4)
    assert caplog.text.count("dwell time is") == 1


def test_preset_dwell_time_replaces_that_of_the_noise():
    items = scan(np.random.default_rng(11), n=1, samples=300)
    preset = acquisitions(run(noise_adjust, items, HEADER, noise_dwell_time_us_preset=10.0))[0]
    usual = acquisitions(run(noise_adjust, items, HEADER))[0]
    np.testing.assert_allclose(preset.data * 2, usual.data, rtol=1e-5)


def test_another_number_of_channels_is_refused_or_passes_if_asked(caplog):
    noise, *data = scan(np.random.default_rng(12), n=2)
    other = acquisition(np.ones((3, 8)), scan_counter=77)
    with pytest.raises(ValueError, match="acquisition 77 has 3 channels, noise was measured with 4"):
        run(noise_adjust, [noise, data[0], other], HEADER)
    sent = acquisitions(run(noise_adjust, [noise, data[0], other, other], HEADER, pass_nonconformant_data=True))
    assert_same_acquisitions(sent[1:], [other, other])
    assert caplog.text.count("passes without noise adjustment") == 1


def test_bad_noise_is_refused():
    noise, data = scan(np.random.default_rng(13), n=1)
    fewer = acquisition(noise.data[:3], flags=NOISE, scan_counter=5)
    with pytest.raises(ValueError, match="noise acquisition 5 has 3 channels; the ones before it 4"):
        run(noise_adjust, [noise, fewer, data], HEADER)
    broken = acquisition(noise.data, flags=NOISE, scan_counter=6)
    broken.data[2, 3] = np.nan
    with pytest.raises(ValueError, match="noise acquisition 6 holds NaN"):
        run(noise_adjust, [noise, broken, data], HEADER)
    twice = acquisition(noise.data[[0, 1, 2, 2]], flags=NOISE)
    with pytest.raises(ValueError, match="singular"):
        run(noise_adjust, [twice, data], HEADER)


def test_noise_after_image_data_is_dropped_and_said(caplog):
    noise, *data = scan(np.random.default_rng(14), n=3, samples=100)
    late = [noise, data[0], noise, data[1], noise, data[2]]
    assert_same_acquisitions(run(noise_adjust, late, HEADER), run(noise_adjust, [noise, *data], HEADER))
    assert caplog.text.count("came after image data") == 1


def test_a_later_scan_finds_the_noise_that_it_depends_on(caplog):
    noise, *data = scan(np.random.default_rng(15), samples=200)
    assert run(noise_adjust, [noise], header_xml(measurement="first", bandwidth=0.793)) == []
    dependent = header_xml(measurement="second", bandwidth=0.793, dependency=("noise", "first"))
    expected = run(noise_adjust, [noise, *data], header_xml(measurement="third", bandwidth=0.793))
    assert_same_acquisitions(run(noise_adjust, data, dependent), expected)
    assert not [r for r in caplog.records if r.levelname == "WARNING"]


def test_a_missing_dependency_is_said_unless_noise_was_measured(caplog):
    noise, *data = scan(np.random.default_rng(16), samples=200)
    header = header_xml(bandwidth=0.793, dependency=("Noise", "gone"))
    run(noise_adjust, [noise, *data], header)
    assert "gone" not in caplog.text
    assert_same_acquisitions(run(noise_adjust, data, header), data)
    assert "'gone'" in caplog.text


def test_storage_that_fails_does_not_stop_the_scan(caplog, monkeypatch, storage):
    blocked = storage / "file"
    blocked.write_text("")
    monkeypatch.setenv("DEEPGADGETS_STORAGE", str(blocked / "folder"))
    assert len(acquisitions(run(noise_adjust, scan(np.random.default_rng(17)), HEADER))) == 6
    assert "is not kept" in caplog.text
