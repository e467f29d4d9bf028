"""Where k-space is fully sampled around its centre."""

from __future__ import annotations

import numpy as np
from torch import Tensor


def calibration_region(mask: Tensor) -> tuple[slice, slice, slice]:
    """The largest fully sampled box around the centre of k-space, as slices of (k2, k1, k0).

    mask: (*other, 1, k2, k1, k0) bool; a point counts when it is sampled for all of `other`. A box of length L on an
    axis of length N begins at N // 2 - L // 2, so that its centre is that of k-space. Along k0, it is the longest that
    the central readout has (an asymmetric echo has less than all); among boxes in (k2, k1) with readouts at least that
    long, the one of largest area, and of those the first with the largest extent in k2.

    Headers are not asked: what they call the calibration region need not be what was acquired.

    Raises ValueError where the centre of k-space was not sampled.
    """
    sampled = mask.reshape(-1, *mask.shape[-3:]).all(dim=0).cpu().numpy()
    centre = tuple(length // 2 for length in sampled.shape)
    if not sampled[centre]:
        raise ValueError(f"no calibration region: the centre of k-space (k2, k1, k0) = {centre} was not sampled")
    k0 = max(
        (_box(length, sampled.shape[2]) for length in range(1, sampled.shape[2] + 1)),
        key=lambda box: (sampled[centre[0], centre[1], box].all(), box.stop - box.start),
    )
    missing = ~sampled[..., k0].all(axis=-1)
    counts = np.zeros((missing.shape[0] + 1, missing.shape[1] + 1), int)
    counts[1:, 1:] = missing.cumsum(axis=0).cumsum(axis=1)
    l2, l1 = (np.arange(1, length + 1) for length in missing.shape)
    a2, a1 = centre[0] - l2 // 2, centre[1] - l1 // 2
    b2, b1 = a2 + l2, a1 + l1
    inside = counts[np.ix_(b2, b1)] - counts[np.ix_(a2, b1)] - counts[np.ix_(b2, a1)] + counts[np.ix_(a2, a1)]
    area = np.where(inside == 0, np.outer(l2, l1), 0)[::-1]
    best2, best1 = np.unravel_index(area.argmax(), area.shape)
    return _box(len(l2) - int(best2), len(l2)), _box(int(best1) + 1, len(l1)), k0


def _box(length: int, of: int) -> slice:
    """The central `length` points of an axis of `of` points."""
    start = of // 2 - length // 2
    return slice(start, start + length)
