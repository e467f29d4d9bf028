"""Noise covariance and whitening."""

import numpy as np
import pytest

from gadgets.mri.calibration.noise import NoiseCovariance, noise_scale, whitening


def coloured(samples=20000, coils=5):
    """Correlated noise with unequal levels, of tiny scale as receivers give it."""
    rng = np.random.default_rng(0)
    mix = rng.standard_normal((coils, coils)) + 1j * rng.standard_normal((coils, coils))
    white = rng.standard_normal((coils, samples)) + 1j * rng.standard_normal((coils, samples))
    return (1e-6 * mix @ white).astype(np.complex64)


def covariance(noise):
    accumulated = NoiseCovariance(len(noise))
    for part in np.array_split(noise, 7, axis=1):
        accumulated.add(part)
    assert accumulated.count == noise.shape[1]
    return accumulated.matrix()


def test_covariance_is_that_of_all_acquisitions():
    noise = coloured().astype(np.complex128)
    expected = noise @ noise.conj().T / (noise.shape[1] - 1)
    np.testing.assert_allclose(covariance(noise), expected, rtol=1e-10)


def test_unit_noise_in_each_part_and_no_correlation():
    noise = coloured()
    white = whitening(covariance(noise)) * noise_scale(5.0, 5.0, 1.0) @ noise
    np.testing.assert_allclose(white.real.std(axis=1), 1, atol=0.02)
    np.testing.assert_allclose(white.imag.std(axis=1), 1, atol=0.02)
    np.testing.assert_allclose(white @ white.conj().T / (white.shape[1] - 1), 2 * np.eye(5), atol=1e-9)


def test_gives_the_channels_that_gadgetron_gives():
    noise = coloured()
    rows = noise.T.astype(np.complex128)
    c = rows.conj().T @ rows / (len(rows) - 1)
    upper = np.linalg.cholesky(c).conj().T
    np.testing.assert_allclose(upper.conj().T @ upper, c)
    theirs = rows @ np.linalg.inv(upper)
    np.testing.assert_allclose(whitening(covariance(noise)) @ noise, theirs.T, rtol=1e-6, atol=1e-6)


def test_scale_follows_the_dwell_time():
    assert noise_scale(10.0, 5.0, 0.793) == pytest.approx(np.sqrt(2 * 10 / 5 * 0.793))
    # A dwell twice as long has half the variance, so the same matrix must amplify more.
    assert noise_scale(10.0, 5.0, 1.0) / noise_scale(5.0, 5.0, 1.0) == pytest.approx(np.sqrt(2))


@pytest.mark.parametrize(("dwell", "noise_dwell", "bandwidth"), [(0, 5, 1), (5, -1, 1), (5, 5, float("nan"))])
def test_absurd_times_are_refused(dwell, noise_dwell, bandwidth):
    with pytest.raises(ValueError, match="expected a positive number"):
        noise_scale(dwell, noise_dwell, bandwidth)


def test_a_silent_coil_is_named():
    noise = coloured()
    noise[3] = 0
    with pytest.raises(ValueError, match="no noise in coils 3:"):
        whitening(covariance(noise))


def test_a_coil_that_copies_another_is_named():
    noise = coloured()
    noise[4] = 2j * noise[1]
    with pytest.raises(ValueError, match="noise of coil 4 is a combination"):
        whitening(covariance(noise))
    noise[3] = noise[0] - noise[2]
    with pytest.raises(ValueError, match="noise of coil 3 is a combination"):
        whitening(covariance(noise))


def test_too_few_samples_are_refused():
    with pytest.raises(ValueError, match="two samples or more, got 0"):
        NoiseCovariance(4).matrix()
    with pytest.raises(ValueError, match="fewer noise samples than coils"):
        whitening(covariance(coloured(samples=4)))


def test_coils_that_are_not_finite_are_named():
    noise = coloured()
    noise[2, 5] = np.nan
    with pytest.raises(ValueError, match="NaN or infinite for coils 2$"):
        whitening(covariance(noise))


def test_shapes_are_checked():
    with pytest.raises(ValueError, match=r"noise has shape \(4, 9\), expected \(coil, samples\) with 5 coils"):
        NoiseCovariance(5).add(np.zeros((4, 9), np.complex64))
    with pytest.raises(ValueError, match=r"covariance has shape \(2, 3\)"):
        whitening(np.zeros((2, 3), complex))


def test_levels_far_apart_are_no_singularity():
    noise = coloured() * np.array([1, 1e-4, 1, 1e4, 1])[:, None]
    white = whitening(covariance(noise)) @ noise
    np.testing.assert_allclose(np.mean(np.abs(white) ** 2, axis=1), 1, rtol=1e-3)
