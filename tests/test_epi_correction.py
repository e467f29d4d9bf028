"""Echo planar acquisitions to the grid, without real data."""

import ismrmrd
import numpy as np
import pytest

from gadgets.epi_correction import epi_correction
from gadgets.stream.control import Text
from tests.support.epi_scan import description, epi_header, epi_scan, rss, with_trajectory
from tests.support.splits import assert_same_acquisitions, outputs
from tests.support.streams import acquisition, acquisitions, header_xml, run

NAVIGATOR, REVERSE = ismrmrd.ACQ_IS_PHASECORR_DATA, ismrmrd.ACQ_IS_REVERSE


def gridded(scan, lines=None, **properties):
    """K-space (slice, coil, k1, k0) of what the gadget sends."""
    kspace = np.zeros_like(scan.kspace)
    for line in acquisitions(run(epi_correction, scan.lines if lines is None else lines, scan.header, **properties)):
        kspace[line.idx.slice, :, line.idx.kspace_encode_step_1] = line.data
    return kspace


def difference(image, truth):
    """Relative, after the best factor between the two."""
    factor = np.vdot(truth, image) / np.vdot(truth, truth)
    return np.linalg.norm(image / factor - truth) / np.linalg.norm(truth)


def ghost(image, truth):
    """Mean where half a field of view beside the object there is none, over the mean of the object."""
    inside = truth > 0.1 * truth.max()
    beside = np.roll(inside, truth.shape[-2] // 2, axis=-2) & ~inside
    return image[beside].mean() / image[inside].mean()


@pytest.mark.parametrize("n", [48, 49])
@pytest.mark.parametrize("described", [False, True])
def test_on_the_grid_k_space_is_that_of_a_cartesian_scan(n, described):
    """What lies beyond the last samples is unknown: the error stays below half a percent, the ends of k0, which hold
    ten times as much, included. Directions of the phantom's edges reach the ends of k-space."""
    scan = epi_scan(n, described=described)
    found = gridded(scan)
    ends = np.linalg.norm(scan.kspace[..., [0, -1]]) / np.linalg.norm(scan.kspace)
    assert difference(found, scan.kspace) < 0.005 < ends / 10
    assert difference(rss(found), scan.image) < 0.005


@pytest.mark.parametrize("turn", [0, 3])
def test_the_ghost_disappears(turn):
    """A lag of 0.7 samples and a phase of 0.8 radians. Off resonance, the image moves along y by `turn` pixels, and the
    navigators must not take it for a difference between directions."""
    clean = epi_scan()
    scan = epi_scan(lags=[0.7], phases=[0.8], turn=2 * np.pi * turn / 48)
    truth = np.roll(scan.image, -turn, axis=-2)
    corrected, left = (rss(gridded(scan, phase_correction=value)) for value in (True, False))
    none = ghost(rss(gridded(clean)), scan.image)
    assert ghost(left, truth) > 0.3
    # Gibbs ringing of the phantom is what remains, and a point at the end of k0, which lags out of reach.
    assert ghost(corrected, truth) < 1.02 * none
    assert difference(corrected, truth) < 0.01


def test_in_noise_the_ghost_sinks_into_it():
    """With noise of 1 per coil on an object of 170, estimates are so good that their error is not to be seen."""
    scan = epi_scan(lags=[0.4], phases=[-0.6], noise=1.0)
    quiet = epi_scan(noise=1.0)
    level = ghost(rss(gridded(scan)), scan.image)
    assert level < 1.05 * ghost(rss(gridded(quiet)), scan.image)
    assert level < ghost(rss(gridded(scan, phase_correction=False)), scan.image) / 5


def test_the_noise_level_of_the_image_is_kept():
    """After noise adjustment it is 1 in each part, and is again: 27648 values, and ends of k0 that deviate."""
    scan = epi_scan(coils=4, noise=1.0, lags=[0.0, 0.0, 0.0], phases=[0.0] * 3)
    pure = epi_scan(coils=4, lags=[0.0, 0.0, 0.0], phases=[0.0] * 3)
    noise = gridded(scan, phase_correction=False) - gridded(pure, phase_correction=False)
    assert noise.real.std() == pytest.approx(1, abs=0.05)
    assert noise.imag.std() == pytest.approx(1, abs=0.05)


def test_each_slice_and_each_shot_has_its_own_navigators():
    """Slices of different lag, whose acquisitions are interleaved; then a second shot with another."""
    first = epi_scan(lags=[0.5, -0.4], phases=[0.3, -1.0])
    half = len(first.lines) // 2
    one, two = first.lines[:half], first.lines[half:]
    interleaved = [*one[:3], *two[:3], *(line for pair in zip(one[3:], two[3:], strict=True) for line in pair)]
    np.testing.assert_array_equal(gridded(first, interleaved), gridded(first))
    second = epi_scan(lags=[-0.5, 0.6], phases=[1.0, 0.2])
    found = gridded(first, [*first.lines, *second.lines])
    np.testing.assert_array_equal(found, gridded(second))


def test_headers_of_what_is_sent():
    scan = epi_scan(samples=72)
    given = [line for line in scan.lines if not line.is_flag_set(NAVIGATOR)]
    sent = acquisitions(run(epi_correction, scan.lines, scan.header))
    assert [line.scan_counter for line in sent] == [line.scan_counter for line in given]
    for one, line in zip(sent, given, strict=True):
        assert one.data.shape == (4, 48)
        found = (one.number_of_samples, one.center_sample, one.discard_pre, one.discard_post, one.trajectory_dimensions)
        assert found == (48, 24, 0, 0, 0)
        assert not one.is_flag_set(REVERSE)
        assert one.idx.kspace_encode_step_1 == line.idx.kspace_encode_step_1
        assert one.is_flag_set(ismrmrd.ACQ_LAST_IN_SLICE) == line.is_flag_set(ismrmrd.ACQ_LAST_IN_SLICE)


def test_samples_to_be_discarded_are_not_used_and_what_they_leave_open_is_said():
    """Partial echoes: of 48 samples on the grid the last 20 were not read, on either side of the centre."""
    at = np.arange(48) - 24.0
    lines = []
    for counter, reverse in enumerate((False, True)):
        data = np.random.default_rng(counter).standard_normal((2, 48)) + 0j
        data[:, 28:] = np.nan
        line = acquisition(data, flags=[REVERSE] * reverse, discard_post=20, scan_counter=counter)
        lines.append(with_trajectory(line, (-1) ** reverse * at / 48))
    forward, backward = acquisitions(run(epi_correction, lines, epi_header(48, 2), phase_correction=False))
    assert (forward.discard_pre, forward.discard_post) == (0, 20)
    np.testing.assert_allclose(forward.data[:, :28], lines[0].data[:, :28], atol=1e-5)
    assert not forward.data[:, 28:].any()
    # The first sample, at +24, lies beyond the grid.
    assert (backward.discard_pre, backward.discard_post) == (21, 0)
    np.testing.assert_allclose(backward.data[:, 21:], lines[1].data[:, 27:0:-1], atol=1e-5)
    assert not backward.data[:, :21].any()


def test_output_does_not_depend_on_how_acquisitions_arrive():
    scan = epi_scan(24, samples=36, coils=2, lags=[0.4, 0.2], phases=[0.3, 0.1])
    items = [*scan.lines]
    items.insert(20, Text("between"))
    found = outputs(epi_correction, items, scan.header)
    for each in found:
        assert_same_acquisitions(each, found[0])
    assert isinstance(found[1][17], Text)


def test_what_is_no_echo_planar_readout_passes_unchanged():
    scan = epi_scan(24, samples=36)
    noise = acquisition(np.ones((4, 20)), flags=[ismrmrd.ACQ_IS_NOISE_MEASUREMENT])
    feedback = acquisition(np.ones((4, 20)), flags=[ismrmrd.ACQ_IS_HPFEEDBACK_DATA], encoding_space_ref=7)
    sent = run(epi_correction, [noise, feedback, *scan.lines], scan.header)
    assert_same_acquisitions(acquisitions(sent)[:2], [noise, feedback])
    assert_same_acquisitions(run(epi_correction, scan.lines, header_xml()), scan.lines)


def test_pixels_are_those_of_the_coarser_space():
    """Headers that count the samples of ramps as the encoded matrix, and such that reconstruct smaller pixels."""
    scan = epi_scan(24, samples=36, lags=[0.4], phases=[0.3])
    expected = acquisitions(run(epi_correction, scan.lines, scan.header))
    x = b"<x>24</x>"
    counted = scan.header.replace(x, b"<x>36</x>", 1)
    before, last, after = scan.header.rpartition(x)
    interpolated = before + last.replace(b"24", b"64") + after
    for header in (counted, interpolated):
        assert_same_acquisitions(run(epi_correction, scan.lines, header), expected)


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (slice(3, None), "slice 0, before acquisition 3: no navigators .*phase_correction = false"),
        (slice(1, None), "slice 0, before acquisition 3: navigators are read in the directions [+] -; expected three"),
    ],
)
def test_refuses_scans_without_three_navigators(lines, words):
    scan = epi_scan(24, samples=36)
    with pytest.raises(ValueError, match=words):
        run(epi_correction, scan.lines[lines], scan.header)


def test_refuses_headers_that_do_not_say_where_samples_lie():
    scan = epi_scan(24, samples=36, described=True)
    with pytest.raises(ValueError, match="acquisition 1 has no trajectory.* space 0 has no rampUpTime, flatTopTime"):
        run(epi_correction, scan.lines, epi_header(24, 4))
    without = description(36, dwellTime=None, rampDownTime=None)
    with pytest.raises(ValueError, match="has no rampDownTime, dwellTime"):
        run(epi_correction, scan.lines, epi_header(24, 4, described=without))
    with pytest.raises(ValueError, match="acquisition 1 has 36 samples; .*numSamples 30"):
        run(epi_correction, scan.lines, epi_header(24, 4, described=description(30)))
    with pytest.raises(
        ValueError, match="trajectoryDescription of encoding space 0: samples are taken from 20 to 500 microseconds"
    ):
        run(epi_correction, scan.lines, epi_header(24, 4, described=description(36, flatTopTime=20)))
    nowhere = scan.header.replace(b"<x>24</x>", b"<x>0</x>")
    with pytest.raises(ValueError, match="no field of view and matrix along x for encoding space 0"):
        run(epi_correction, scan.lines, nowhere)


def test_refuses_samples_that_fold_the_field_of_view():
    line = with_trajectory(acquisition(np.ones((2, 24)), scan_counter=5), (np.arange(24) - 12) / 16)
    with pytest.raises(ValueError, match="acquisition 5: samples lie up to 1.5 steps of the grid apart"):
        run(epi_correction, [line], epi_header(24, 2), phase_correction=False)
    line.encoding_space_ref = 2
    with pytest.raises(ValueError, match="acquisition 5 is of encoding space 2; the header describes 1"):
        run(epi_correction, [line], epi_header(24, 2))
