"""Smooth phase for images of which only the magnitude is known."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def smooth_phase(matrix: tuple[int, int], random: np.random.Generator, *, waves: int = 3) -> NDArray[np.complex64]:
    """exp(i phi) (y, x), phi a random constant plus waves of random sign, up to `waves` / 2 cycles per field of view.

    The deviation of phi is itself random, from 0 to pi / 2, as field maps and coils of various scans make it.
    """
    y, x = (np.linspace(-0.5, 0.5, length) for length in matrix)
    frequencies = np.arange(-waves, waves + 1) / 2
    decay = np.exp(-(frequencies**2) / 2)
    draw = random.standard_normal((2, len(frequencies), len(frequencies)))
    coefficients = (draw[0] + 1j * draw[1]) * decay[:, None] * decay
    at_y, at_x = (np.exp(2j * np.pi * np.outer(frequencies, axis)) for axis in (y, x))
    phi = np.einsum("qp,qy,px->yx", coefficients, at_y, at_x).real
    phi *= random.uniform(0, np.pi / 2) / max(phi.std(), np.finfo(float).tiny)
    return np.exp(1j * (phi + random.uniform(0, 2 * np.pi))).astype(np.complex64)
