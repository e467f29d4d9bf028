"""Coil compression: fewer virtual channels with nearly all of the signal. Numpy only."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gadgets.mri.channels import gram


def compression_matrix(
    samples: NDArray[np.complexfloating], *, coils: int | None = None, energy: float | None = None
) -> NDArray[np.complex64]:
    """Principal components of the channels: (kept, coil), to multiply columns of channels from the left.

    samples: (coil, samples) noise-whitened k-space, of the calibration region as a rule. The rows are the leading
    eigenvectors (conjugated) of samples samples^H, by decreasing energy. They are orthonormal, so white noise stays
    white. The phase of each row is such that the first of its elements with half the magnitude of the largest, or more,
    is real and positive.

    Give `coils`, the number of channels to keep (no more than there are), or `energy`, the share of the energy (above
    0, up to 1) to be kept at least, in which case the fewest channels are kept that do; both together keep the fewer.
    With neither, all channels are kept, rotated.

    Raises ValueError for samples that are not finite or all zero, and for limits out of range.

    Huang et al., Magn Reson Imaging 2008;26:133. doi:10.1016/j.mri.2007.04.010
    """
    if samples.ndim != 2:
        raise ValueError(f"samples have shape {samples.shape}, expected (coil, samples)")
    check_limits(coils, energy)
    bad = np.flatnonzero(~np.isfinite(samples).all(axis=1))
    if len(bad):
        raise ValueError(f"samples are NaN or infinite in coils {', '.join(map(str, bad))}")
    covariance = gram(samples)
    if not covariance.any():
        raise ValueError("samples are all zero: there is nothing to compress by")
    values, vectors = np.linalg.eigh(covariance)
    values, rows = np.maximum(values[::-1], 0), vectors[:, ::-1].conj().T
    return phased(rows[: fewest(values, coils, energy)]).astype(np.complex64)


def check_limits(coils: int | None, energy: float | None) -> None:
    """Raise ValueError for a number of channels below 1, and for a share of energy outside 0 to 1."""
    if coils is not None and coils < 1:
        raise ValueError(f"coils is {coils}, expected 1 or more")
    if energy is not None and not 0 < energy <= 1:
        raise ValueError(f"energy is {energy}, expected a share above 0 and up to 1")


def fewest(values: NDArray[np.float64], coils: int | None, energy: float | None) -> int:
    """How many of `values`, energies that fall, are kept: at most `coils`, and the fewest that have that share."""
    kept = len(values)
    if coils is not None:
        kept = min(kept, coils)
    if energy is not None:
        share = np.cumsum(values) / values.sum()
        # Rounding may leave the last share just below 1; all channels hold all of the energy.
        kept = min(kept, int(np.argmax(share >= min(energy, share[-1]))) + 1)
    return kept


def phased(rows: NDArray[np.complex128]) -> NDArray[np.complex128]:
    """Rows whose first element with half the magnitude of the largest, or more, is real and positive."""
    sizes = np.abs(rows)
    first = (sizes >= sizes.max(axis=1, keepdims=True) / 2).argmax(axis=1)
    chosen = np.take_along_axis(rows, first[:, None], axis=1)
    turned: NDArray[np.complex128] = rows * (chosen.conj() / np.abs(chosen))
    return turned


def eigen_channels(
    samples: NDArray[np.complexfloating], *, coils: int | None = None, threshold: float = 0.0
) -> NDArray[np.complex64]:
    """Principal components of the channels less their mean: (kept, coil), by decreasing energy, as Gadgetron has them.

    samples: (coil, samples). The rows are orthonormal. Kept are `coils` of them, or those with at least `threshold` of
    the first one's energy. Their phases are those that LAPACK's singular value decomposition leaves: Gadgetron's coil
    maps depend on them where there is noise alone, which `compression_matrix` with its fixed phases would change.

    Raises ValueError for samples that are not finite or all alike, and for limits out of range.

    Huang et al., Magn Reson Imaging 2008;26:133. doi:10.1016/j.mri.2007.04.010
    """
    if coils is not None and coils < 1:
        raise ValueError(f"coils is {coils}, expected 1 or more")
    if not 0 <= threshold <= 1:
        raise ValueError(f"threshold is {threshold}, expected a share from 0 to 1")
    if not np.isfinite(samples).all():
        raise ValueError("samples are NaN or infinite")
    centred = samples - samples.mean(axis=1, keepdims=True)
    _, values, adjoint = np.linalg.svd(centred.T, full_matrices=len(samples) > samples.shape[1])
    if not values[0] > 0:
        raise ValueError("samples are all alike: there are no principal channels")
    kept = int((np.square(values) >= threshold * np.square(values[0])).sum()) if threshold else len(samples)
    return adjoint[: min(kept, coils or kept)].conj().astype(np.complex64)
