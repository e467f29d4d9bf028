"""Coil compression that follows the readout: geometric coil compression. Numpy only."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gadgets.mri.calibration.compression import check_limits, fewest, phased
from gadgets.mri.channels import gram_along

# Neighbours along the readout that share a covariance, as in the paper: sensitivities hardly change over so few points.
_WINDOW = 5


def geometric_compression(
    lines: NDArray[np.complexfloating], *, coils: int | None = None, energy: float | None = None
) -> NDArray[np.complex64]:
    """Principal components of the channels at each place along the readout: (x, kept, coil), for `channels.mix_along`.

    lines: (line, coil, k0) noise-whitened k-space, of the calibration region as a rule, with whole readouts of the
    fully sampled field of view. After the inverse transform along k0, each place has principal components of its own,
    from its neighbourhood of 5 points. Far fewer of them are needed than for all places together, as only the
    sensitivities along the phase encoding are left to tell apart.

    Which basis of the space they span is taken is free at each place, and would jump. So it is aligned: from the place
    of most energy outwards, each basis is turned (by a unitary matrix) to come as near to that of its neighbour as it
    can. Then virtual sensitivities are as smooth as those of the coils. Rows are orthonormal at each place, so
    white noise stays white. The phases of the rows at the first place are those of `compression_matrix`.

    Give `coils` or `energy`, as for `compression_matrix`: the same number is kept everywhere, `energy` is a share of
    all places together.

    Raises ValueError for lines that are not finite or all zero, and for limits out of range.

    Zhang et al., MRM 2013;69:571. doi:10.1002/mrm.24267
    """
    if lines.ndim != 3:
        raise ValueError(f"lines have shape {lines.shape}, expected (line, coil, k0)")
    check_limits(coils, energy)
    bad = np.flatnonzero(~np.isfinite(lines).all(axis=(0, 2)))
    if len(bad):
        raise ValueError(f"samples are NaN or infinite in coils {', '.join(map(str, bad))}")
    values, vectors = np.linalg.eigh(_covariances(lines))
    values = np.maximum(values[:, ::-1], 0)
    if not values.any():
        raise ValueError("samples are all zero: there is nothing to compress by")
    kept = fewest(values.sum(axis=0), coils, energy)
    rows = vectors[:, :, ::-1].conj().swapaxes(1, 2)[:, :kept]
    return _aligned(rows, int(values.sum(axis=1).argmax())).astype(np.complex64)


def _covariances(lines: NDArray[np.complexfloating]) -> NDArray[np.complex128]:
    """(x, coil, coil): the channels' covariance at each place along the readout, with its neighbours'."""
    alone = gram_along(lines)
    total = alone.copy()
    for shift in range(1, _WINDOW // 2 + 1):
        total[shift:] += alone[:-shift]
        total[:-shift] += alone[shift:]
    return total


def _aligned(rows: NDArray[np.complex128], first: int) -> NDArray[np.complex128]:
    """Rows (x, kept, coil), those of each place turned towards their neighbour's on the side of `first`."""
    out = rows.copy()
    out[first] = phased(rows[first])
    for before, places in ((-1, range(first + 1, len(rows))), (1, range(first - 1, -1, -1))):
        for x in places:
            u, _, vh = np.linalg.svd(out[x + before] @ rows[x].conj().T)
            out[x] = u @ vh @ rows[x]
    return out
