"""On what lattice k-space was sampled."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

_LARGEST = 8


@dataclass(frozen=True, kw_only=True)
class Lattice:
    """Every steps[i]-th line along k2 and k1, `first` being the first and `extent` the part between first and last.

    `readout`: the part of k0 that each readout covers. More lines than those of the lattice may be there: `extra`, the
    box in (k2, k1) that they fill, or None.
    """

    steps: tuple[int, int]
    first: tuple[int, int]
    extent: tuple[slice, slice]
    readout: slice
    extra: tuple[slice, slice] | None


def lattice(mask: Tensor) -> Lattice:
    """The densest lattice that was acquired without a gap, from the mask (k2, k1, k0) and from nothing else.

    Lines off the lattice are accepted where they, with those on it, fill a box: calibration lines. Lines may be missing
    at the borders of k-space (partial Fourier). Raises ValueError where there is no such lattice with steps of at most
    8, and where readouts differ in what they cover.
    """
    sampled = mask.cpu().numpy()
    lines, columns = np.asarray(sampled.any(axis=2)), np.asarray(sampled.any(axis=(0, 1)))
    if not lines.any():
        raise ValueError("nothing was acquired")
    readout = _extent(columns)
    if not columns[readout].all() or (sampled != lines[:, :, None] & columns).any():
        raise ValueError("readouts differ in what part of k0 they cover, or have gaps")
    extent = _extents(lines)
    lengths = [part.stop - part.start for part in extent]
    choices = product(*(range(1, min(_LARGEST, length) + 1) for length in lengths))
    for step2, step1 in sorted(choices, key=lambda pair: (pair[0] * pair[1], pair[0])):
        for offset2, offset1 in product(range(step2), range(step1)):
            first = extent[0].start + offset2, extent[1].start + offset1
            found = np.zeros_like(lines)
            found[first[0] : extent[0].stop : step2, first[1] : extent[1].stop : step1] = True
            if not lines[found].all():
                continue
            rest = lines & ~found
            extra = _extents(rest) if rest.any() else None
            if extra is None or lines[extra].all():
                return Lattice(steps=(step2, step1), first=first, extent=extent, readout=readout, extra=extra)
    raise ValueError(
        f"irregular sampling: the {int(lines.sum())} lines that were acquired of {lines.size} are neither every n-th "
        f"along k1 and k2, n at most {_LARGEST}, nor that with a fully sampled block of calibration lines"
    )


def _extent(there: NDArray[np.bool_]) -> slice:
    places = np.flatnonzero(there)
    return slice(int(places[0]), int(places[-1]) + 1)


def _extents(lines: NDArray[np.bool_]) -> tuple[slice, slice]:
    k2, k1 = (np.asarray(lines.any(axis=axis)) for axis in (1, 0))
    return _extent(k2), _extent(k1)
