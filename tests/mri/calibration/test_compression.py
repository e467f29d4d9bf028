"""Coil compression."""

import numpy as np
import pytest

from gadgets.mri.calibration.compression import compression_matrix, eigen_channels
from gadgets.mri.phantom.scan import cartesian


@pytest.fixture(scope="module")
def samples():
    return cartesian((32, 32, 1), coils=12).reshape(12, -1)


def test_rows_are_orthonormal_and_sorted_by_energy(samples):
    matrix = compression_matrix(samples)
    assert matrix.shape == (12, 12)
    np.testing.assert_allclose(matrix @ matrix.conj().T, np.eye(12), atol=1e-5)
    energy = (np.abs(matrix @ samples) ** 2).sum(axis=1)
    assert (np.diff(energy) <= 1e-6 * energy[0]).all()


def test_keeps_as_much_as_asked_and_no_more(samples):
    total = (np.abs(samples) ** 2).sum()

    def kept(matrix):
        return (np.abs(matrix @ samples) ** 2).sum() / total

    matrix = compression_matrix(samples, energy=0.99)
    assert kept(matrix) >= 0.99 > kept(matrix[:-1])
    assert len(compression_matrix(samples, coils=5)) == 5
    assert len(compression_matrix(samples, coils=50)) == 12
    assert len(compression_matrix(samples, coils=2, energy=0.9999)) == 2
    assert len(compression_matrix(np.eye(3, 9, dtype=complex), energy=1)) == 3


def test_no_other_unitary_rows_keep_more(samples):
    rng = np.random.default_rng(0)
    best = np.linalg.norm(compression_matrix(samples, coils=3) @ samples)
    for _ in range(20):
        other, _ = np.linalg.qr(rng.standard_normal((12, 3)) + 1j * rng.standard_normal((12, 3)))
        assert np.linalg.norm(other.conj().T @ samples) < best


def test_phase_is_fixed(samples):
    matrix = compression_matrix(samples, coils=4)
    for row in matrix:
        first = row[np.abs(row) >= np.abs(row).max() / 2][0]
        assert first.real > 0
        assert abs(first.imag) < 1e-6
    rotated = compression_matrix(samples * np.exp(2j), coils=4)
    np.testing.assert_allclose(rotated, matrix, atol=1e-3)


def test_refusals(samples):
    with pytest.raises(ValueError, match="energy is 1.5"):
        compression_matrix(samples, energy=1.5)
    with pytest.raises(ValueError, match="coils is 0"):
        compression_matrix(samples, coils=0)
    with pytest.raises(ValueError, match="all zero"):
        compression_matrix(np.zeros_like(samples))
    broken = samples.copy()
    broken[7, 3] = np.inf
    with pytest.raises(ValueError, match="NaN or infinite in coils 7$"):
        compression_matrix(broken)


def test_eigen_channels_are_principal_components_less_the_mean():
    random = np.random.default_rng(3)
    samples = random.standard_normal((4, 500, 2)).view(np.complex128)[..., 0] * np.array([9, 5, 1, 0.1])[:, None]
    mixing = np.linalg.qr(random.standard_normal((4, 4)))[0]
    rows = eigen_channels(mixing @ samples + 7)
    np.testing.assert_allclose(rows @ rows.conj().T, np.eye(4), atol=1e-6)
    mixed = rows @ (mixing @ (samples - samples.mean(axis=1, keepdims=True)))
    covariance = mixed @ mixed.conj().T
    energies = covariance.diagonal().real
    assert (np.diff(energies) < 0).all()
    assert abs(covariance - np.diag(covariance.diagonal())).max() < 1e-5 * energies[0]
    shares = energies / energies[0]
    for threshold in (0.5, 0.2, 0.005, 0.0):
        assert len(eigen_channels(mixing @ samples + 7, threshold=threshold)) == (shares >= threshold).sum()
    np.testing.assert_array_equal(eigen_channels(mixing @ samples + 7, coils=2), rows[:2])


def test_eigen_channels_of_fewer_samples_than_channels():
    rows = eigen_channels(np.random.default_rng(0).standard_normal((5, 3)).astype(np.complex64))
    np.testing.assert_allclose(rows @ rows.conj().T, np.eye(5), atol=1e-6)


@pytest.mark.parametrize(
    ("samples", "limits", "words"),
    [
        (np.ones((2, 3), complex), {}, "samples are all alike"),
        (np.full((2, 3), np.nan, complex), {}, "NaN or infinite"),
        (np.eye(2, dtype=complex), {"coils": 0}, "coils is 0"),
        (np.eye(2, dtype=complex), {"threshold": 2}, "threshold is 2"),
    ],
)
def test_eigen_channels_that_cannot_be(samples, limits, words):
    with pytest.raises(ValueError, match=words):
        eigen_channels(samples, **limits)
