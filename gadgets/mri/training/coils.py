"""Receiver coils by the law of Biot and Savart."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import zoom

# Segments of a loop, and points per axis at which its field is computed: fields are smooth, and are interpolated.
_SEGMENTS = 24
_GRID = 32


def coil_ring(coils: int, matrix: tuple[int, int], random: np.random.Generator) -> NDArray[np.complex64]:
    """Sensitivities (coil, y, x), sum_coil |csm|^2 = 1, of circular loops on a cylinder around the field of view.

    Loops lie on one ring or, from 16 coils on, at times on two or three; the plane of the image is anywhere between
    them, tilted at random. A loop with unit current has the field B(r) = mu0 / (4 pi) int dl x (r - l) / |r - l|^3, and
    receives with its part that turns against the spins, Bx - i By (Hoult). Radii, places and tilts are random; one coil
    is a volume coil of constant sensitivity.
    Roemer et al., MRM 1990;16:192. doi:10.1002/mrm.1910160203
    Hoult, Concepts Magn Reson 2000;12:173. doi:10.1002/1099-0534(2000)12:4<173::AID-CMR1>3.0.CO;2-Q

    Raises ValueError for less than one coil.
    """
    if coils < 1:
        raise ValueError(f"coils is {coils}, expected 1 or more")
    if coils == 1:
        return np.ones((1, *matrix), np.complex64)
    rings = int(random.integers(1, min(3, coils // 8) + 1)) if coils >= 16 else 1
    at = _plane(random)
    fields = np.stack([_field(*loop, at) for loop in _loops(coils, rings, random)])
    turn = np.exp(2j * np.pi * random.uniform(size=(coils, 1, 1)))
    fields = turn * fields
    factors = [length / _GRID for length in matrix]
    # By rounding, the last place may lie beyond the last point.
    fine = np.stack([zoom(f, factors, order=3, mode="nearest") for f in fields])
    return (fine / np.sqrt((np.abs(fine) ** 2).sum(axis=0))).astype(np.complex64)


def _plane(random: np.random.Generator) -> NDArray[np.float64]:
    """Places (3, y, x), in half fields of view, z along the cylinder."""
    axis = np.linspace(-1, 1, _GRID)
    y, x = np.meshgrid(axis, axis, indexing="ij")
    slope = random.uniform(-0.4, 0.4, 2)
    return np.stack([x, y, slope[0] * x + slope[1] * y + random.uniform(-0.4, 0.4)])


def _loops(
    coils: int, rings: int, random: np.random.Generator
) -> list[tuple[NDArray[np.float64], NDArray[np.float64], float]]:
    """Centres, directions to the axis, and radii of the loops."""
    per_ring = -(-coils // rings)
    distance = random.uniform(1.5, 1.9)
    # Neighbours of a ring touch or overlap a little.
    radius = distance * np.sin(np.pi / max(per_ring, 3)) * random.uniform(0.9, 1.2)
    first = random.uniform(0, 2 * np.pi)
    loops = []
    for index in range(coils):
        ring, place = divmod(index, per_ring)
        angle = first + 2 * np.pi * (place + 0.5 * (ring % 2)) / per_ring + random.normal(0, 0.05)
        height = (ring - (rings - 1) / 2) * 1.6 * radius + random.normal(0, 0.05)
        outward = np.array([np.cos(angle), np.sin(angle), random.normal(0, 0.1)])
        outward /= np.linalg.norm(outward)
        centre = distance * np.array([np.cos(angle), np.sin(angle), 0]) + np.array([0, 0, height])
        loops.append((centre, outward, float(min(radius, 0.9 * distance))))
    return loops


def _field(
    centre: NDArray[np.float64], normal: NDArray[np.float64], radius: float, at: NDArray[np.float64]
) -> NDArray[np.complex128]:
    """Bx - i By (y, x) of one loop."""
    first = np.cross(normal, [0, 0, 1])
    first /= np.linalg.norm(first)
    second = np.cross(normal, first)
    angle = 2 * np.pi * (np.arange(_SEGMENTS) + 0.5) / _SEGMENTS
    wire = centre + radius * (np.cos(angle)[:, None] * first + np.sin(angle)[:, None] * second)
    current = -np.sin(angle)[:, None] * first + np.cos(angle)[:, None] * second
    away = at[None] - wire[:, :, None, None]
    size = (np.sum(away**2, axis=1) + 1e-3) ** 1.5
    bx = (current[:, 1, None, None] * away[:, 2] - current[:, 2, None, None] * away[:, 1]) / size
    by = (current[:, 2, None, None] * away[:, 0] - current[:, 0, None, None] * away[:, 2]) / size
    return bx.sum(axis=0) - 1j * by.sum(axis=0)
