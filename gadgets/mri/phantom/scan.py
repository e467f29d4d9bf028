"""K-space of the phantom as coils see it, without any grid in image space. Numpy and scipy only.

Signals are scaled so that the image of the phantom, by the orthonormal inverse FFT of its k-space, has the phantom's
intensities: samples are integrals over the field of view, times sqrt(number of points of the matrix).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gadgets.mri.phantom.coils import sensitivity, waves, weights
from gadgets.mri.phantom.ellipsoids import Ellipsoid, cut, shepp_logan, transform_2d, transform_3d

# Slices lie this far apart (fields of view), around the middle of the head.
_SPACING = 0.02


def sample(
    k: NDArray[np.float64], *, coils: int, three_dimensional: bool = False, slice_index: int = 0
) -> NDArray[np.complex64]:
    """Signals (coil, *places) at arbitrary places k (*places, 3), components (z, y, x) in cycles per field of view.

    Two-dimensional: the plane `slice_index` (0 is the middle of the head; planes of other index differ from it), whose
    kz is not looked at. Signals are integrals over the field of view, without the factor of a matrix.
    """
    kz, ky, kx = np.moveaxis(k, -1, 0)
    f = waves()
    out = np.zeros((coils, *kx.shape), np.complex128)
    w = weights(coils)
    for q, fy in enumerate(f):
        for p, fx in enumerate(f):
            # Multiplying the object by a wave moves its transform by the frequency of the wave.
            out += w[:, q, p].reshape(-1, *[1] * kx.ndim) * _object(
                kz if three_dimensional else None, ky - fy, kx - fx, slice_index
            )
    return out.astype(np.complex64)


def cartesian(
    matrix: Sequence[int],
    *,
    coils: int,
    oversampling: float = 1,
    slice_index: int = 0,
    bodies: Sequence[Ellipsoid] = shepp_logan(),
) -> NDArray[np.complex64]:
    """K-space (coil, k2, k1, k0) on the grid of `matrix` (x, y, z); k0 has round(oversampling * x) points.

    z = 1 is the plane `slice_index`; with more, the bodies are encoded in three dimensions. Oversampling widens the
    field of view along x and keeps the resolution: cropping it gives the k-space without oversampling, but for ringing.
    """
    nx, ny, nz = matrix
    size = round(nx * oversampling)
    kx = (np.arange(size) - size // 2) * nx / size
    ky, kz = (np.arange(length, dtype=float) - length // 2 for length in (ny, nz))
    scale = np.sqrt(size * ny * nz) * nx / size
    f, w = waves(), weights(coils)
    # Waves of half a cycle shift the grid onto itself or half-way between: few different places are asked for.
    all_x, at_x = np.unique(kx - f[:, None], return_inverse=True)
    all_y, at_y = np.unique(ky - f[:, None], return_inverse=True)
    grid_z = kz[:, None, None] if nz > 1 else None
    value = _object(grid_z, all_y[:, None], all_x, slice_index, bodies).astype(np.complex64)
    value = value.reshape(nz, len(all_y), len(all_x))
    moved = np.stack([value[:, rows][:, :, columns].reshape(nz, -1) for rows in at_y for columns in at_x])
    flat = (scale * w).astype(np.complex64).reshape(coils, -1)
    return (flat @ moved.reshape(len(moved), -1)).reshape(coils, nz, ny, size)


def truth(
    matrix: Sequence[int], *, slice_index: int = 0, bodies: Sequence[Ellipsoid] = shepp_logan()
) -> NDArray[np.complex64]:
    """The image (z, y, x) of the bodies without coils, seen through the same part of k-space; matrix is (x, y, z)."""
    nx, ny, nz = matrix
    kx, ky, kz = (np.arange(length, dtype=float) - length // 2 for length in (nx, ny, nz))
    value = _object(kz[:, None, None] if nz > 1 else None, ky[:, None], kx, slice_index, bodies).reshape(nz, ny, nx)
    image = np.fft.fftshift(np.fft.ifftn(np.fft.ifftshift(value * np.sqrt(value.size)), norm="ortho"))
    return image.astype(np.complex64)


def coil_maps(matrix: Sequence[int], *, coils: int) -> NDArray[np.complex64]:
    """The sensitivities (coil, z, y, x) with which the phantom was seen, not normalised; matrix is (x, y, z)."""
    nx, ny, nz = matrix
    x, y = ((np.arange(length) - length // 2) / length for length in (nx, ny))
    plane = sensitivity(x, y, coils).astype(np.complex64)
    return np.repeat(plane[:, None], nz, axis=1)


def _object(
    kz: NDArray[np.float64] | None,
    ky: NDArray[np.float64],
    kx: NDArray[np.float64],
    slice_index: int,
    bodies: Sequence[Ellipsoid] = shepp_logan(),
) -> NDArray[np.complex128]:
    """The transform of the bodies, or of their plane where kz is None, at places that broadcast."""
    if kz is not None:
        return sum((transform_3d(body, kx, ky, kz) for body in bodies), np.zeros((), np.complex128))
    ellipses = (cut(body, slice_index * _SPACING) for body in bodies)
    return sum((transform_2d(one, kx, ky) for one in ellipses if one is not None), np.zeros((), np.complex128))
