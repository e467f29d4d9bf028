"""Sampling patterns to train with."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from gadgets.mri.phantom.trajectories import radial

Mask = NDArray[np.bool_]


def uniform(matrix: tuple[int, int], acceleration: float, centre: int, random: np.random.Generator) -> Mask:
    """(k1, k0): every n-th line along k1 from a random first one, and `centre` lines of calibration; n is rounded."""
    lines = np.zeros(matrix[0], bool)
    step = max(1, round(acceleration))
    lines[int(random.integers(step)) :: step] = True
    return _with_centre(lines, centre, matrix)


def random_lines(matrix: tuple[int, int], acceleration: float, centre: int, random: np.random.Generator) -> Mask:
    """(k1, k0): 1 / acceleration of all lines, `centre` of them in the middle, the others rarer with distance."""
    length = matrix[0]
    distance = np.abs(np.arange(length) - length // 2) / (length / 2)
    lines = np.zeros(length, bool)
    lines[_middle(length, centre)] = True
    missing = round(length / acceleration) - int(lines.sum())
    if missing > 0:
        likely = np.where(lines, 0, (1 - 0.9 * np.clip(distance, 0, 1)) ** 2)
        lines[random.choice(length, missing, replace=False, p=likely / likely.sum())] = True
    return np.broadcast_to(lines[:, None], matrix).copy()


def poisson(matrix: tuple[int, int], acceleration: float, centre: int, random: np.random.Generator) -> Mask:
    """(k1, k0), both phase-encoded: points no nearer to each other than a distance that grows from the centre out.

    Darts are thrown in random order, with the least distance scaled until 1 / acceleration of the points are there, to
    within 5 %; `centre` points per axis are full.
    Bridson, SIGGRAPH 2007. doi:10.1145/1278780.1278807
    """
    wanted = max(matrix[0] * matrix[1] / acceleration, 1)
    low, high = 0.0, 8.0
    points = np.ones(matrix, bool)
    for _ in range(10):
        scale = (low + high) / 2
        points = _darts(matrix, scale, np.random.default_rng(random.integers(1 << 32)))
        points[_middle(matrix[0], centre), _middle(matrix[1], centre)] = True
        if abs(points.sum() - wanted) <= 0.05 * wanted:
            break
        low, high = (scale, high) if points.sum() > wanted else (low, scale)
    return points


def partial_fourier(matrix: tuple[int, int], acceleration: float, centre: int, random: np.random.Generator) -> Mask:
    """(k1, k0): `uniform`, without the last lines along k1; 5/8 to 7/8 of the axis are covered."""
    mask = uniform(matrix, acceleration, centre, random)
    mask[round(matrix[0] * random.uniform(5 / 8, 7 / 8)) :] = False
    return mask


def spokes(matrix: tuple[int, int], count: int, random: np.random.Generator) -> NDArray[np.float32]:
    """Trajectory (3, 1, spoke, sample) of diameters of k-space from a random angle on, oversampled twice.

    Angles are equal or, half of the times, golden. Where y and x differ, pixels are square and fields of view are not.
    """
    lines = radial(count, 2 * max(matrix), 1, golden=bool(random.uniform() < 0.5)).transpose(2, 0, 1)
    turned = (lines[2] + 1j * lines[1]) * np.exp(1j * random.uniform(0, np.pi))
    z, y, x = lines[0], matrix[0] * turned.imag, matrix[1] * turned.real
    return np.stack([z, y, x])[:, None].astype(np.float32)


def spoke_count(matrix: tuple[int, int], acceleration: float, centre: int) -> int:
    """How many spokes: 1 / acceleration of those that are dense up to the edge, and enough for a dense centre."""
    return max(1, round(np.pi / 2 * max(max(matrix) / acceleration, centre)))


#: Patterns on the grid, by name.
PATTERNS: dict[str, Callable[[tuple[int, int], float, int, np.random.Generator], Mask]] = {
    "uniform": uniform,
    "random": random_lines,
    "poisson": poisson,
    "partial_fourier": partial_fourier,
}

#: Those that are regular but for their calibration lines.
REGULAR = ("uniform", "partial_fourier")


def _darts(matrix: tuple[int, int], scale: float, random: np.random.Generator) -> Mask:
    """Points of the grid in random order, kept where no point kept before is near."""
    y, x = (np.linspace(-1, 1, length) for length in matrix)
    distance = scale * (0.3 + np.hypot(y[:, None], x[None, :]))
    kept = np.zeros(matrix, bool)
    left = np.ones(matrix, bool)
    # In rounds: of the darts thrown at once, those that have no other of the round or of before near them stay.
    for _ in range(40):
        places = np.flatnonzero(left)
        if not len(places):
            break
        thrown = np.zeros(matrix, bool)
        spread = max(1.0, float((np.pi * distance**2)[left].mean()))
        thrown.flat[random.choice(places, max(1, round(len(places) / (4 * spread))), replace=False)] = True
        for place in np.flatnonzero(thrown):
            row, column = divmod(int(place), matrix[1])
            reach = distance[row, column]
            size = int(reach)
            window = np.s_[max(0, row - size) : row + size + 1, max(0, column - size) : column + size + 1]
            dy, dx = np.ogrid[
                window[0].start - row : window[0].stop - row, window[1].start - column : window[1].stop - column
            ]
            dy, dx = dy[: kept[window].shape[0]], dx[:, : kept[window].shape[1]]
            if not (kept[window] & (dy**2 + dx**2 < reach**2)).any():
                kept[row, column] = True
        left &= distance_transform_edt(~kept) >= np.maximum(distance, 0.5) if kept.any() else left
    return kept


def _with_centre(lines: NDArray[np.bool_], centre: int, matrix: tuple[int, int]) -> Mask:
    lines[_middle(len(lines), centre)] = True
    return np.broadcast_to(lines[:, None], matrix).copy()


def _middle(length: int, centre: int) -> slice:
    start = length // 2 - centre // 2
    return slice(max(0, start), max(0, start) + min(centre, length))
