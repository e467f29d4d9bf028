"""Coils whose sensitivities are sums of a few waves. Numpy only."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# Waves per axis run from -_ORDER to _ORDER, periodic in _PERIOD fields of view: smooth, and not periodic within one.
_ORDER = 2
_PERIOD = 2.0
# Coils sit on an ellipse around the object, at this distance from its centre, and see this far (fields of view).
_DISTANCE = 0.6
_REACH = 0.45


def waves() -> NDArray[np.float64]:
    """Frequencies of the waves along each axis, in cycles per field of view."""
    return np.arange(-_ORDER, _ORDER + 1) / _PERIOD


def weights(coils: int) -> NDArray[np.complex128]:
    """Coefficients (coil, wave along y, wave along x): csm_c(x, y) = sum w[c, q, p] exp(2 pi i (f_q y + f_p x)).

    Each coil is the closest such sum to a Gaussian bell around its place, with a phase of its own: the low Fourier
    coefficients of the bell. Sensitivities do not change along z.
    Guerquin-Kern et al., IEEE TMI 2012;31:626. doi:10.1109/TMI.2011.2174158
    """
    if coils < 1:
        raise ValueError(f"coils is {coils}, expected 1 or more")
    angle = 2 * np.pi * np.arange(coils) / coils
    f = waves()
    bell = np.exp(-2 * (np.pi * _REACH * f) ** 2)
    x = bell * np.exp(-2j * np.pi * np.outer(_DISTANCE * np.cos(angle), f))
    y = bell * np.exp(-2j * np.pi * np.outer(_DISTANCE * np.sin(angle), f))
    return np.exp(1j * angle)[:, None, None] * y[:, :, None] * x[:, None, :]


def sensitivity(x: NDArray[np.float64], y: NDArray[np.float64], coils: int) -> NDArray[np.complex128]:
    """Sensitivities (coil, y, x) at the places x and y (each one axis, fields of view from the centre)."""
    f = waves()
    at_x, at_y = (np.exp(2j * np.pi * np.outer(f, place)) for place in (x, y))
    return np.einsum("cqp,qy,px->cyx", weights(coils), at_y, at_x)
