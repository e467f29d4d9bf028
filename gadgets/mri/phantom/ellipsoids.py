"""Ellipses and ellipsoids, whose Fourier transforms are known in closed form. Numpy and scipy only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import j1


@dataclass(frozen=True, kw_only=True)
class Ellipsoid:
    """A homogeneous body. Lengths in units of the field of view; axes (x, y, z); `angle` about z, in radians."""

    intensity: float
    centre: tuple[float, float, float]
    semi_axes: tuple[float, float, float]
    angle: float = 0.0


# The head of Shepp and Logan, IEEE Trans Nucl Sci 1974;21:21 (doi:10.1109/TNS.1974.6499235), with intensities raised so
# that soft tissue is visible, and third axes so that it is a closed body. Lengths in half fields of view, degrees.
_HEAD = (
    (1.0, (0.0, 0.0, 0.0), (0.69, 0.92, 0.81), 0.0),
    (-0.8, (0.0, -0.0184, 0.0), (0.6624, 0.874, 0.78), 0.0),
    (-0.2, (0.22, 0.0, 0.0), (0.11, 0.31, 0.22), -18.0),
    (-0.2, (-0.22, 0.0, 0.0), (0.16, 0.41, 0.28), 18.0),
    (0.1, (0.0, 0.35, -0.15), (0.21, 0.25, 0.41), 0.0),
    (0.1, (0.0, 0.1, 0.25), (0.046, 0.046, 0.05), 0.0),
    (0.1, (0.0, -0.1, 0.25), (0.046, 0.046, 0.05), 0.0),
    (0.1, (-0.08, -0.605, 0.0), (0.046, 0.023, 0.05), 0.0),
    (0.1, (0.0, -0.605, 0.0), (0.023, 0.023, 0.02), 0.0),
    (0.1, (0.06, -0.605, 0.0), (0.023, 0.046, 0.02), 0.0),
)


def shepp_logan() -> tuple[Ellipsoid, ...]:
    """The head of Shepp and Logan as a three-dimensional body that fills 9/10 of the field of view in y."""
    return tuple(
        Ellipsoid(
            intensity=intensity,
            centre=(0.49 * centre[0], 0.49 * centre[1], 0.49 * centre[2]),
            semi_axes=(0.49 * axes[0], 0.49 * axes[1], 0.49 * axes[2]),
            angle=float(np.deg2rad(angle)),
        )
        for intensity, centre, axes, angle in _HEAD
    )


def cut(body: Ellipsoid, z: float) -> Ellipsoid | None:
    """The ellipse in which a body meets the plane at `z` (its third semi-axis is of no meaning), or None."""
    rest = 1 - ((z - body.centre[2]) / body.semi_axes[2]) ** 2
    if rest <= 0:
        return None
    a, b, c = body.semi_axes
    shrink = float(np.sqrt(rest))
    return Ellipsoid(
        intensity=body.intensity,
        centre=(body.centre[0], body.centre[1], 0.0),
        semi_axes=(a * shrink, b * shrink, c),
        angle=body.angle,
    )


def transform_2d(body: Ellipsoid, kx: NDArray[np.float64], ky: NDArray[np.float64]) -> NDArray[np.complex128]:
    """integral exp(-2 pi i (kx x + ky y)) over the ellipse, times intensity; k in cycles per field of view.

    pi a b 2 J1(t) / t at t = 2 pi |(a k_u, b k_v)|, turned by the angle and moved to the centre. kx and ky broadcast.
    """
    a, b, _ = body.semi_axes
    t = 2 * np.pi * np.sqrt(_radius_squared(body, kx, ky))
    small = t < 1e-6
    safe = np.where(small, 1, t)
    shape = np.where(small, 1, 2 * j1(safe) / safe)
    phase = np.exp(-2j * np.pi * kx * body.centre[0]) * np.exp(-2j * np.pi * ky * body.centre[1])
    return body.intensity * np.pi * a * b * shape * phase


def transform_3d(
    body: Ellipsoid, kx: NDArray[np.float64], ky: NDArray[np.float64], kz: NDArray[np.float64]
) -> NDArray[np.complex128]:
    """The same in three dimensions: 4/3 pi a b c 3 (sin t - t cos t) / t^3 at t = 2 pi |(a k_u, b k_v, c k_z)|.

    Koay et al., MRM 2007;58:430. doi:10.1002/mrm.21292
    """
    a, b, c = body.semi_axes
    t = 2 * np.pi * np.sqrt(_radius_squared(body, kx, ky) + (c * kz) ** 2)
    small = t < 1e-2
    safe = np.where(small, 1, t)
    # Near 0 the quotient loses all digits; its series does not.
    shape = np.where(small, 1 - t**2 / 10, 3 * (np.sin(safe) - safe * np.cos(safe)) / safe**3)
    phase = np.exp(-2j * np.pi * kx * body.centre[0]) * np.exp(-2j * np.pi * ky * body.centre[1])
    return body.intensity * 4 / 3 * np.pi * a * b * c * shape * (phase * np.exp(-2j * np.pi * kz * body.centre[2]))


def _radius_squared(body: Ellipsoid, kx: NDArray[np.float64], ky: NDArray[np.float64]) -> NDArray[np.float64]:
    a, b, _ = body.semi_axes
    cos, sin = np.cos(body.angle), np.sin(body.angle)
    along, across = kx * cos + ky * sin, ky * cos - kx * sin
    squared: NDArray[np.float64] = (a * along) ** 2 + (b * across) ** 2
    return squared
