"""Which lines of k-space a scan takes at random. Numpy only."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# The density of lines falls to 1 / (1 + _FALL) from the centre of k-space to its border, along each axis.
_FALL = 3.0


def random_lines(
    keep: NDArray[np.bool_], possible: NDArray[np.bool_], n: int, random: np.random.Generator
) -> NDArray[np.bool_]:
    """Lines (k2, k1): all of `keep`, and `n` others of those that are `possible`, denser towards the centre.

    Lustig, Donoho and Pauly, MRM 2007;58:1182. doi:10.1002/mrm.21391
    """
    density = np.ones(keep.shape)
    for axis, length in enumerate(keep.shape):
        distance = np.abs(np.arange(length) - length // 2) / max(length // 2, 1)
        density /= np.expand_dims(1 + _FALL * distance, 1 - axis)
    chance = (density * (possible & ~keep)).ravel()
    chosen: NDArray[np.bool_] = keep.copy()
    chosen.ravel()[random.choice(chance.size, n, replace=False, p=chance / chance.sum() if n else None)] = True
    return chosen
