import ismrmrd
import numpy as np
import pytest

from gadgets.coil_compression import coil_compression
from gadgets.mri.quality.errors import nrmse
from gadgets.properties import PropertyError
from gadgets.stream.control import Text
from pipelines.clients.dataset import Dataset
from pipelines.clients.replay import find, replay, with_settings
from tests.support.splits import assert_same_acquisitions, outputs
from tests.support.streams import acquisition, acquisitions, header_xml, run

CALIBRATION = [ismrmrd.ACQ_IS_PARALLEL_CALIBRATION_AND_IMAGING]
NOISE = [ismrmrd.ACQ_IS_NOISE_MEASUREMENT]
HEADER = header_xml((16, 64, 1), coils=6)


def scan(coils=6, modes=3, lines=40, repetitions=2, calibration=range(12, 28), seed=0, slices=1):
    """Acquisitions whose channels are mixtures of `modes` signals."""
    rng = np.random.default_rng(seed)
    signal = lambda *shape: (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)).astype(np.complex64)  # noqa: E731
    mixing = signal(coils, modes)
    return [
        acquisition(
            mixing @ signal(modes, 16),
            flags=CALIBRATION if line in calibration else [],
            idx={"kspace_encode_step_1": line, "repetition": r, "slice": s},
            scan_counter=(r * slices + s) * lines + line,
        )
        for r in range(repetitions)
        for s in range(slices)
        for line in range(lines)
    ]


def stacked(found):
    return np.stack([a.data for a in acquisitions(found)])


def test_as_many_channels_remain_as_there_are_signals_and_nothing_is_lost():
    given = scan()
    sent = acquisitions(run(coil_compression, given, HEADER))
    assert {a.data.shape for a in sent} == {(3, 16)}
    before, after = (np.einsum("ncs,mcs->nm", x, x.conj()) for x in (stacked(given), stacked(sent)))
    np.testing.assert_allclose(after, before, atol=1e-4 * abs(before).max())


def test_headers_say_what_remains():
    given = scan()
    sent = acquisitions(run(coil_compression, given, HEADER, coils=2))
    for one, other in zip(sent, given, strict=True):
        assert (one.active_channels, one.available_channels, one.channel_mask[0]) == (2, 2, 3)
        assert (one.scan_counter, one.flags) == (other.scan_counter, other.flags)


def test_a_count_keeps_the_channels_of_most_energy():
    given = scan(modes=6)
    sent, full = (stacked(run(coil_compression, given, HEADER, coils=n)) for n in (2, 6))
    np.testing.assert_allclose(sent, full[:, :2], atol=1e-5)
    energy = (abs(full[12:28]) ** 2).sum(axis=(0, 2))
    assert (np.diff(energy) < 0).all()


def test_a_share_of_the_energy_keeps_the_fewest_channels_that_have_it():
    given = scan(modes=6)
    full = stacked(run(coil_compression, given, HEADER, energy=1.0))[12:28]
    shares = np.cumsum((abs(full) ** 2).sum(axis=(0, 2)))
    shares /= shares[-1]
    sent = stacked(run(coil_compression, given, HEADER, energy=float(shares[2]) - 1e-4))
    assert sent.shape[1] == 3


def test_white_noise_stays_white():
    rng = np.random.default_rng(3)
    given = scan(coils=8)
    noise = (rng.standard_normal((8, 40000)) + 1j * rng.standard_normal((8, 40000))).astype(np.complex64)
    sent = acquisitions(run(coil_compression, [*given, acquisition(noise)], header_xml(coils=8), coils=3))[-1].data
    np.testing.assert_allclose(np.cov(np.concatenate([sent.real, sent.imag])), np.eye(6), atol=0.03)


def matrix(found, given):
    """The matrix that made `found` of `given`."""
    x, y = (np.moveaxis(stacked(items), 1, 0).reshape(stacked(items).shape[1], -1) for items in (given, found))
    return y @ np.linalg.pinv(x)


def test_calibration_lines_of_the_first_frame_decide_and_are_not_asked_again():
    first = scan(modes=6, repetitions=1, seed=1)
    later = [a for a in scan(modes=6, seed=2) if a.idx.repetition == 1]
    found = run(coil_compression, [*first, *later], HEADER, coils=6)
    alone = run(coil_compression, first[12:28], HEADER, coils=6)
    np.testing.assert_allclose(matrix(found, [*first, *later]), matrix(alone, first[12:28]), atol=1e-4)


def test_without_calibration_lines_the_image_data_of_the_first_frame_decide():
    given = scan(modes=6, calibration=())
    found = run(coil_compression, given, HEADER, coils=6)
    first = run(coil_compression, given[:40], HEADER, coils=6)
    np.testing.assert_allclose(matrix(found, given), matrix(first, given[:40]), atol=1e-4)


def sent_before(items, header=HEADER, **properties):
    """How many items have come when the first one goes out."""
    from gadgets.stream.connection import Connection
    from gadgets.stream.transport import MemoryTransport
    from tests.support.streams import configuration

    class Counting(MemoryTransport):
        taken, first = 0, None

        def receive(self):
            item, self._items = self._items[:1], self._items[1:]
            self.taken += len(item)
            return item

        def send(self, item):
            self.first = self.first or self.taken
            super().send(item)

    transport = Counting(items)
    coil_compression(Connection(transport, configuration(**properties), header))
    assert len(transport.sent) == len(items)
    return transport.first


def test_items_go_out_as_soon_as_the_matrix_is_known():
    assert sent_before(scan()) == 29  # The first image line after the calibration lines.
    assert sent_before(scan(calibration=())) == 41  # The first line of the second frame.
    flagged = scan(calibration=())
    flagged[39].set_flag(ismrmrd.ACQ_LAST_IN_REPETITION)
    assert sent_before(flagged) == 40
    slices = header_xml((16, 64, 1), coils=6, limits={"slice": (0, 1, 0)})
    assert sent_before(scan(slices=2), slices) == 40 + 29
    assert sent_before(scan(repetitions=1, calibration=())) == 40  # The end of the input.


def test_order_is_kept_while_items_are_held_back():
    given = scan(repetitions=1)
    noise = acquisition(np.ones((6, 8)), flags=NOISE, scan_counter=1000)
    items = [Text("a"), noise, *given[:5], Text("b"), noise, *given[5:], Text("c")]
    for found in outputs(coil_compression, items, HEADER, coils=2):
        opened = [x for i in found for x in (i if not isinstance(i, Text) else [i])]
        names = [x.text if isinstance(x, Text) else x.scan_counter for x in opened]
        assert names == ["a", 1000, *range(5), "b", 1000, *range(5, 40), "c"]
        assert {x.data.shape[0] for x in opened if not isinstance(x, Text)} == {2, 6}


def test_output_does_not_depend_on_how_acquisitions_arrive():
    for calibration in (range(12, 28), ()):
        found = outputs(coil_compression, scan(modes=6, calibration=calibration), HEADER, coils=4)
        for each in found:
            assert_same_acquisitions(each, found[0])


def test_a_single_channel_and_noise_pass_unchanged():
    given = [*scan(coils=1, modes=1), acquisition(np.ones((1, 8)), flags=NOISE)]
    assert_same_acquisitions(run(coil_compression, given, HEADER), given)


def test_a_number_of_channels_that_changes_is_refused():
    given = scan()
    other = acquisition(np.ones((5, 16)), scan_counter=99)
    for items in ([*given, other], [*given[:3], other, *given[3:]]):
        with pytest.raises(ValueError, match="acquisition 99 has 5 channels, the first ones have 6"):
            run(coil_compression, items, HEADER)


def test_data_that_give_no_matrix_are_refused():
    given = scan()
    given[14].data[2, 3] = np.inf
    with pytest.raises(ValueError, match="NaN or infinite in coils"):
        run(coil_compression, given, HEADER)


@pytest.mark.parametrize("properties", [{"coils": 0}, {"energy": 0}, {"energy": 1.5}, {"coils": "many"}])
def test_settings_out_of_range_are_refused(properties):
    with pytest.raises((ValueError, PropertyError), match=next(iter(properties))):
        run(coil_compression, scan(), HEADER, **properties)


def turning(lines=40):
    """Acquisitions whose channels see two signals, in a mixture that turns along the readout."""
    rng = np.random.default_rng(5)
    signal = rng.standard_normal((lines, 2, 16)) + 1j * rng.standard_normal((lines, 2, 16))
    turn = np.exp(2j * np.pi * np.arange(16) / 16 * np.arange(6)[:, None] / 3)
    image = turn * np.einsum("cm,nmx->ncx", rng.standard_normal((6, 2)), signal)
    data = np.fft.fft(np.fft.ifftshift(image, -1), axis=-1, norm="ortho").astype(np.complex64)
    return [
        acquisition(one, flags=CALIBRATION, idx={"kspace_encode_step_1": i}, scan_counter=i)
        for i, one in enumerate(data)
    ]


def test_along_the_readout_fewer_channels_hold_the_signal():
    given = turning()
    sent = {m: stacked(run(coil_compression, given, HEADER, method=m, coils=2)) for m in ("gcc", "pca")}
    energy = np.linalg.norm(stacked(given)) ** 2
    assert np.linalg.norm(sent["pca"]) ** 2 < 0.9 * energy
    # The mixture is not quite the same over the five points that share a covariance.
    assert np.linalg.norm(sent["gcc"]) ** 2 > 0.9 * energy


def test_gcc_does_not_depend_on_how_acquisitions_arrive():
    found = outputs(coil_compression, scan(modes=6), HEADER, method="gcc", coils=4)
    for each in found:
        assert_same_acquisitions(each, found[0])


def test_gcc_is_computed_from_the_lines_that_pca_is():
    first, other = (scan(modes=6, repetitions=1, calibration=range(12, 28), seed=seed) for seed in (1, 2))
    mixed = [*other[:12], *first[12:28], *other[28:]]
    found, expected = (stacked(run(coil_compression, i, HEADER, method="gcc", coils=3)) for i in (mixed, first))
    np.testing.assert_allclose(found[12:28], expected[12:28], atol=1e-5)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"flags": [ismrmrd.ACQ_IS_REVERSE]}, "acquisition 99 was read in reverse"),
        ({"traj": True}, "acquisition 99 has a trajectory"),
        ({"data": np.ones((6, 12))}, "acquisition 99 has 12 samples, the first ones have 16"),
    ],
)
def test_gcc_refuses_readouts_that_differ(change, words):
    trajectory = change.pop("traj", None)
    other = acquisition(**({"data": np.ones((6, 16)), "scan_counter": 99} | change))
    if trajectory is not None:
        other.resize(16, 6, 2)
    for items in ([*scan(), other], [*scan()[:3], other, *scan()[3:]]):
        with pytest.raises(ValueError, match=words):
            run(coil_compression, items, HEADER, method="gcc")


def test_a_method_that_there_is_not_is_refused_with_those_that_there_are():
    with pytest.raises(PropertyError, match="'svd', expected one of 'pca', 'gcc'"):
        run(coil_compression, scan(), HEADER, method="svd")


@pytest.mark.data
def test_with_gcc_a_brain_needs_fewer_channels(data_dir):
    """Four of sixteen channels: how far the image is from that of all channels."""
    with Dataset(data_dir / "mrd" / "brain_gre_3T_16ch_retroR2_acs24_noise.h5") as dataset:
        header, items = dataset.header, list(dataset.items())

    def image(**settings):
        pipeline = with_settings(find("cartesian_sense"), {f"coil_compression.{k}": v for k, v in settings.items()})
        (found,) = (item.data[0] for item in replay(pipeline, header, items) if isinstance(item, ismrmrd.Image))
        return np.abs(found).astype(float)

    whole = image(energy="1.0")
    lost = {method: nrmse(image(coils="4", method=method), whole, scaled=True) for method in ("pca", "gcc")}
    assert lost["gcc"] < 0.5 * lost["pca"]
