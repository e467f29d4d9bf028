"""Noise of the receiver: its covariance and the matrix that whitens it. Numpy only."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gadgets.mri.channels import gram

# A channel whose noise, given all channels before it, has less than this share of its own variance is a copy of them.
_INDEPENDENT = 1e-6


class NoiseCovariance:
    """Covariance of noise samples, accumulated over acquisitions: sum_t n_t n_t^H / (count - 1), (coil, coil)."""

    def __init__(self, n_coils: int) -> None:
        self._sum = np.zeros((n_coils, n_coils), np.complex128)
        self.count = 0

    def add(self, samples: NDArray[np.complexfloating]) -> None:
        """Take in noise samples (coil, samples). Raises ValueError for another number of coils."""
        if samples.ndim != 2 or samples.shape[0] != len(self._sum):
            raise ValueError(f"noise has shape {samples.shape}, expected (coil, samples) with {len(self._sum)} coils")
        self._sum += gram(samples)
        self.count += samples.shape[1]

    def matrix(self) -> NDArray[np.complex128]:
        """The covariance (coil, coil). Raises ValueError with fewer than two samples."""
        if self.count < 2:
            raise ValueError(f"a noise covariance needs two samples or more, got {self.count}")
        return self._sum / (self.count - 1)


def whitening(covariance: NDArray[np.complexfloating]) -> NDArray[np.complex128]:
    """W (coil, coil) such that W n has the covariance 1, for columns n (coil,) of noise: the inverse of L in C = L L^H.

    W is lower triangular with a positive diagonal, so channel c of the result is made of channels 0 ... c. It gives
    the channels that Gadgetron gives, which multiplies rows: of X = x^T (samples, coil) it has X^H X = conj(C) = R^H R,
    and makes X R^-1. The Cholesky factor is unique, so R = L^T and (X R^-1)^T = L^-1 x.

    Here E|W n|^2 = 1 per channel. Multiplied with `noise_scale`, it is 1 in the real and 1 in the imaginary part.

    Raises ValueError, naming the channels, where the covariance is not finite, where a channel has no noise, and where
    the noise of a channel is a combination of that of others (as with fewer samples than channels).
    """
    if covariance.ndim != 2 or covariance.shape[0] != covariance.shape[1]:
        raise ValueError(f"covariance has shape {covariance.shape}, expected (coil, coil)")
    finite = np.isfinite(covariance)
    if not finite.all():
        # A channel with a bad sample spoils its row and its column; its own variance tells it from the others.
        bad = np.flatnonzero(~finite.diagonal())
        raise ValueError(f"noise covariance is NaN or infinite for coils {_list(bad)}")
    c = covariance.astype(np.complex128)
    variance = c.diagonal().real
    silent = np.flatnonzero(variance <= 0)
    if len(silent):
        raise ValueError(f"no noise in coils {_list(silent)}: they cannot be whitened")
    deviation = np.sqrt(variance)
    lower, dependent = _cholesky(c / np.outer(deviation, deviation))
    if dependent is not None:
        raise ValueError(
            f"noise of coil {dependent} is a combination of that of coils 0 to {dependent - 1}: "
            "the covariance is singular (a channel connected twice, or fewer noise samples than coils)"
        )
    inverse = np.linalg.solve(lower, np.eye(len(c)))
    return np.tril(inverse / deviation)


def _cholesky(c: NDArray[np.complex128]) -> tuple[NDArray[np.complex128], int | None]:
    """Lower Cholesky factor of a matrix of unit diagonal, and the first row that depends on those before it."""
    lower = np.zeros_like(c)
    for i in range(len(c)):
        row = np.linalg.solve(lower[:i, :i], c[:i, i]).conj() if i else c[:0, 0]
        rest = c[i, i].real - np.vdot(row, row).real
        if rest < _INDEPENDENT:
            return lower, i
        lower[i, :i] = row
        lower[i, i] = np.sqrt(rest)
    return lower, None


def noise_scale(dwell: float, noise_dwell: float, bandwidth: float) -> float:
    """Factor from whitened noise to noise of unit standard deviation in the real and in the imaginary part.

    sqrt(2 dwell / noise_dwell bandwidth): noise was measured with `noise_dwell` and is to be adjusted in data of
    `dwell` (microseconds both; a longer dwell has less noise), through a filter that passes `bandwidth`, the relative
    noise bandwidth of the receiver. Raises ValueError unless all three are positive and finite.
    """
    for name, value in (("dwell", dwell), ("noise_dwell", noise_dwell), ("bandwidth", bandwidth)):
        if not (np.isfinite(value) and value > 0):
            raise ValueError(f"{name} is {value}, expected a positive number")
    return float(np.sqrt(2 * dwell / noise_dwell * bandwidth))


def _list(coils: NDArray[np.intp]) -> str:
    return ", ".join(str(coil) for coil in coils)
