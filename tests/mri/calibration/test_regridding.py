"""From samples on ramps to the grid."""

import numpy as np
import pytest

from gadgets.mri.calibration.regridding import Regridding, delayed, trapezoid
from tests.support.epi_scan import DELAY, FLAT, RAMP, places

TIMES = {"delay": DELAY, "ramp_up": RAMP, "flat_top": FLAT, "ramp_down": RAMP}


def trapezoid_of(n, samples):
    return trapezoid(samples, dwell=(2 * RAMP + FLAT - 2 * DELAY) / samples, width=n, **TIMES)


def grid(n):
    return np.arange(n) - n // 2


def bells(k, n):
    """The signal of three Gaussian bells within the field of view, gone before the ends of k-space."""
    shapes = ((1.0, 0.06, 0.2), (0.5, 0.08, -0.1), (-0.3, 0.07, 0.05))
    return sum(a * np.exp(-2 * (np.pi * w * k * 48 / n) ** 2 - 2j * np.pi * k * c) for a, w, c in shapes)


def bars(k):
    """The signal of three bars, which has no end."""
    return sum(
        a * w * np.sinc(k * w) * np.exp(-2j * np.pi * k * c)
        for a, w, c in ((1, 0.7, 0.03), (-0.5, 0.2, 0.1), (0.8, 0.05, -0.21))
    )


def scale(at):
    """What the noise level of the image asks for: the mean over k0 of the local step, as sqrt."""
    steps = np.diff(np.sort(at))
    return np.sqrt(steps.sum() / (steps**2).sum())


@pytest.mark.parametrize("n", [48, 49])
@pytest.mark.parametrize("sign", [1, -1])
def test_exact_for_objects_within_the_field_of_view(n, sign):
    """To the rounding of complex64, whose eigenvalues reach down to 0.04: odd and even, forward and reverse."""
    at = sign * places(n, 80)
    found = Regridding(at, n).matrix() @ bells(at, n)
    expected = bells(grid(n), n) * scale(at)
    assert np.abs(found - expected).max() < 1e-5 * np.abs(expected).max()


def test_closer_than_pixels_or_lines_between_samples():
    """An object with edges: an order of magnitude closer than a periodic row of pixels fitted to the samples."""
    n = 96
    at, truth = places(n, 136), bars(grid(n))

    def error(found):
        return np.linalg.norm(found - truth) / np.linalg.norm(truth)

    x = grid(n) / n
    pixels = np.exp(-2j * np.pi * at[:, None] * x)
    periodic = np.exp(-2j * np.pi * grid(n)[:, None] * x) @ np.linalg.lstsq(pixels, bars(at), rcond=1e-2)[0]
    linear = np.interp(grid(n), at, bars(at).real) + 1j * np.interp(grid(n), at, bars(at).imag)
    found = error(Regridding(at, n).matrix() @ bars(at) / scale(at))
    assert found < error(periodic) / 5
    assert found < error(linear) / 50


def test_on_the_grid_nothing_is_done():
    regridding = Regridding(grid(32).astype(float), 32)
    np.testing.assert_allclose(regridding.matrix(), np.eye(32), atol=1e-6)
    assert regridding.covered == slice(0, 32)


def test_a_shift_is_a_phase_along_the_image():
    n, shift = 48, 0.7
    at = places(n, 80)
    x = grid(n) / n
    images = [np.fft.fftshift(np.fft.ifft(np.fft.ifftshift(m @ bells(at, n)))) for m in _both(at, n, shift)]
    np.testing.assert_allclose(images[1], images[0] * np.exp(2j * np.pi * shift * x), atol=1e-5)


def _both(at, n, shift):
    regridding = Regridding(at, n)
    return regridding.matrix(), regridding.matrix(shift)


@pytest.mark.parametrize("samples", [60, 80, 160])
def test_the_noise_level_of_the_image_is_kept(samples):
    """The orthonormal transform spreads the noise of the grid, sum |matrix|^2, over the image: it is 1 per pixel.

    Both ends deviate, where noise is up to five times as high, as the grid ends near the last sample: some 2 of 48
    points.
    """
    n = 48
    matrix = Regridding(places(n, samples), n).matrix()
    assert np.sqrt((np.abs(matrix) ** 2).sum() / n) == pytest.approx(1, abs=0.06)
    mirrored = Regridding(-places(n, samples), n).matrix()
    centre = slice(n // 4, 3 * n // 4)
    np.testing.assert_allclose(
        np.linalg.norm(mirrored[centre], axis=1), np.linalg.norm(matrix[centre], axis=1), rtol=0.02
    )


def test_noise_is_amplified_by_five_at_most():
    for samples in (60, 136):
        at = places(48, samples)[5:]
        matrix = Regridding(at, 48).matrix() / scale(at)
        assert np.linalg.norm(matrix, axis=1).max() <= 5


def test_what_samples_do_not_reach_is_zero():
    at = np.arange(-10.0, 24.0)
    regridding = Regridding(at, 48)
    assert regridding.covered == slice(14, 48)
    matrix = regridding.matrix()
    assert not matrix[:14].any()
    assert (np.abs(matrix[14:]).sum(axis=1) > 0.5).all()
    assert Regridding(at, 48, lag=1.2).covered == regridding.covered


@pytest.mark.parametrize(
    ("at", "n", "words"),
    [
        (np.arange(-16, 16) * 1.3, 32, "samples lie up to 1.3 steps of the grid apart"),
        (np.zeros(8), 32, "8 samples at one place along k0 are no readout"),
        (np.zeros((8, 2)), 32, r"shape \(8, 2\)"),
        (np.array([0.0, np.nan, 1.0]), 32, "NaN or infinite"),
        (np.arange(60.0, 70.0), 32, "no sample lies on the grid of 32 points"),
    ],
)
def test_refuses_readouts_that_do_not_resolve_the_field_of_view(at, n, words):
    with pytest.raises(ValueError, match=words):
        Regridding(at, n)


def test_trapezoid_is_the_gradient_added_up():
    """Against sums over steps of 3 ns."""
    np.testing.assert_allclose(trapezoid_of(48, 72), places(48, 72), atol=1e-4)
    found = trapezoid_of(48, 72)
    np.testing.assert_allclose(found, -found[::-1], atol=1e-12)


def test_trapezoid_without_ramps_is_uniform():
    found = trapezoid(32, dwell=5.0, delay=0.0, ramp_up=0.0, flat_top=160.0, ramp_down=0.0, width=32)
    np.testing.assert_allclose(found, np.arange(32) - 15.5)
    rounded = trapezoid(32, dwell=5.02, delay=0.0, ramp_up=0.0, flat_top=160.0, ramp_down=0.0, width=32)
    assert np.diff(rounded) == pytest.approx(1, rel=0.01)


def test_trapezoid_with_different_ramps_has_its_centre_at_half_of_the_area():
    found = trapezoid(1000, dwell=0.4, delay=0.0, ramp_up=100.0, flat_top=200.0, ramp_down=100.0, width=10)
    longer = trapezoid(1000, dwell=0.45, delay=0.0, ramp_up=100.0, flat_top=200.0, ramp_down=150.0, width=10)
    assert found[499:501].mean() == pytest.approx(0)
    # Half of 50 + 200 + 75 is passed at 212.5 microseconds.
    assert np.interp(0, longer, (np.arange(1000) + 0.5) * 0.45) == pytest.approx(212.5, abs=1e-3)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"delay": 60.0}, "from 60 to 560 microseconds; the gradient lasts from 0 to 520"),
        ({"delay": -5.0}, "from -5 to"),
        ({"flat_top": -1.0}, "no readout gradient"),
        ({"ramp_up": 0.0, "flat_top": 0.0, "ramp_down": 0.0}, "no readout gradient"),
        ({"dwell": 0.0}, "100 samples of 0"),
    ],
)
def test_trapezoid_refuses_times_that_are_none(changed, words):
    with pytest.raises(ValueError, match=words):
        trapezoid(100, **({"dwell": 5.0, "width": 48} | TIMES | {"delay": 10.0} | changed))


def test_a_lag_moves_samples_less_on_ramps():
    """To second order in the lag, which on a ramp changes the gradient by 1/11 within half a step of the grid."""
    found = delayed(places(48, 72), 0.5)
    moved = found - places(48, 72)
    np.testing.assert_allclose(found, places(48, 72, 0.5), atol=0.03)
    assert moved[36] == pytest.approx(0.5, abs=1e-3)
    assert moved[0] < 0.2
    np.testing.assert_allclose(delayed(-places(48, 72), -0.5), -found)
    # The factor for noise is that of the places without a lag: forward and reverse readouts have the same.
    expected = Regridding(found, 48).matrix() / scale(found) * scale(places(48, 72))
    np.testing.assert_allclose(Regridding(places(48, 72), 48, lag=0.5).matrix(), expected, atol=1e-5)
