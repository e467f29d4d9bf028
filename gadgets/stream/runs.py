"""Cut a block where something about its acquisitions changes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import ismrmrd
import numpy as np

from .blocks import Array

#: Flags of acquisitions that hold neither an image's data nor a reference: navigators, feedback, dummies and the like.
AUXILIARY = (
    ismrmrd.ACQ_IS_NAVIGATION_DATA,
    ismrmrd.ACQ_IS_PHASECORR_DATA,
    ismrmrd.ACQ_IS_HPFEEDBACK_DATA,
    ismrmrd.ACQ_IS_DUMMYSCAN_DATA,
    ismrmrd.ACQ_IS_RTFEEDBACK_DATA,
    ismrmrd.ACQ_IS_SURFACECOILCORRECTIONSCAN_DATA,
    ismrmrd.ACQ_IS_PHASE_STABILIZATION_REFERENCE,
    ismrmrd.ACQ_IS_PHASE_STABILIZATION,
)


def runs(*values: Array) -> Iterator[slice]:
    """The stretches of consecutive acquisitions over which none of `values`, each (n,) or (n, k), changes."""
    n = len(values[0])
    changes: Array = np.zeros(max(n - 1, 0), bool)
    for value in values:
        differs: Array = value[1:] != value[:-1]
        changes |= differs.reshape(n - 1, -1).any(axis=1) if n > 1 else False
    edges = [0, *(np.flatnonzero(changes) + 1).tolist(), n]
    return (slice(a, b) for a, b in zip(edges[:-1], edges[1:], strict=True) if b > a)


def any_flag(headers: Any, flags: tuple[int, ...]) -> Array:
    """Boolean (n,): which acquisitions carry at least one of `flags` (numbered from 1, as ismrmrd.ACQ_* are)."""
    mask: Array = (headers["flags"] & np.uint64(sum(1 << (flag - 1) for flag in flags))) != 0
    return mask
