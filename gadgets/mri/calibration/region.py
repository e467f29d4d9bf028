"""Where k-space is fully sampled around its centre."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor


def calibration_region(mask: Tensor) -> tuple[slice, slice, slice]:
    """The largest fully sampled box around the centre of k-space, as slices of (k2, k1, k0).

    mask: (*other, 1, k2, k1, k0) bool; a point counts when it is sampled for all of `other`. A box of length L on an
    axis of length N begins at N // 2 - L // 2, so that its centre is that of k-space. It is the box of most points;
    among those, the longest along k0, then along k2.

    Headers are not asked: what they call the calibration region need not be what was acquired.

    Raises ValueError where the centre of k-space was not sampled.
    """
    sampled = mask.reshape(-1, *mask.shape[-3:]).all(dim=0).cpu().numpy()
    centre = tuple(length // 2 for length in sampled.shape)
    if not sampled[centre]:
        raise ValueError(f"no calibration region: the centre of k-space (k2, k1, k0) = {centre} was not sampled")
    lengths = np.arange(sampled.shape[2], 0, -1)
    counts = np.zeros((*sampled.shape[:2], sampled.shape[2] + 1), np.int32)
    counts[..., 1:] = sampled.cumsum(axis=2)
    first = centre[2] - lengths // 2
    complete = counts[..., first + lengths] - counts[..., first] == lengths
    # A shorter box along k0 is larger only if more readouts are complete in it.
    many = complete.sum(axis=(0, 1))
    candidates = np.flatnonzero(np.diff(many, prepend=0))
    boxes = [(*_rectangle(complete[..., index]), int(lengths[index])) for index in candidates]
    l2, l1, l0 = max(boxes, key=lambda box: box[0] * box[1] * box[2])
    return _box(l2, sampled.shape[0]), _box(l1, sampled.shape[1]), _box(l0, sampled.shape[2])


def _rectangle(complete: NDArray[np.bool_]) -> tuple[int, int]:
    """Lengths of the largest box around the centre of (k2, k1) that is complete; (1, 0) where the centre is not."""
    counts = np.zeros((complete.shape[0] + 1, complete.shape[1] + 1), int)
    counts[1:, 1:] = (~complete).cumsum(axis=0).cumsum(axis=1)
    l2, l1 = (np.arange(1, length + 1) for length in complete.shape)
    a2, a1 = complete.shape[0] // 2 - l2 // 2, complete.shape[1] // 2 - l1 // 2
    b2, b1 = a2 + l2, a1 + l1
    inside = counts[np.ix_(b2, b1)] - counts[np.ix_(a2, b1)] - counts[np.ix_(b2, a1)] + counts[np.ix_(a2, a1)]
    area = np.where(inside == 0, np.outer(l2, l1), 0)[::-1]
    best2, best1 = np.unravel_index(area.argmax(), area.shape)
    return (len(l2) - int(best2), int(best1) + 1) if area.any() else (1, 0)


def _box(length: int, of: int) -> slice:
    """The central `length` points of an axis of `of` points."""
    start = of // 2 - length // 2
    return slice(start, start + length)
