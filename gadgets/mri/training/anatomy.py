"""Images for training where there are none: bodies made of random ellipses, with texture."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter


def anatomy(matrix: tuple[int, int], random: np.random.Generator, *, organs: int = 14) -> NDArray[np.float32]:
    """A magnitude image (y, x) with values from 0 to 1: a body with a rim, organs within it, texture in each.

    Body, organs, contrasts and textures are random. Edges are one pixel wide, as after a cut of k-space.
    """
    y, x = (np.linspace(-1, 1, length, dtype=np.float32) for length in matrix)
    axes = random.uniform(0.55, 0.9, 2)
    tilt = random.uniform(-0.3, 0.3)
    body = _ellipse(y, x, random.uniform(-0.05, 0.05, 2), axes, tilt)
    rim = _ellipse(y, x, (0.0, 0.0), axes * random.uniform(0.85, 0.97), tilt)
    image = body * random.uniform(0.3, 1.0)
    image += (rim - image) * rim * random.uniform(0.2, 0.9)
    for _ in range(organs):
        size = random.uniform(0.03, 0.4, 2)
        organ = _ellipse(y, x, random.uniform(-0.6, 0.6, 2) * axes, size, random.uniform(0, np.pi))
        inside = organ * rim
        level = random.uniform(0.0, 1.0) * (1 + random.uniform(0, 0.4) * _texture(matrix, random))
        image += inside * (level - image)
    image *= 1 + 0.1 * random.uniform() * _texture(matrix, random)
    image = np.clip(image, 0, None)
    peak = float(image.max())
    return (image / peak if peak > 0 else image).astype(np.float32)


def _ellipse(
    y: NDArray[np.float32],
    x: NDArray[np.float32],
    centre: NDArray[np.float64] | tuple[float, float],
    axes: NDArray,
    tilt: float,
) -> NDArray[np.float32]:
    """1 within an ellipse and 0 outside, with an edge about a pixel wide; lengths in half fields of view."""
    dy, dx = y[:, None] - centre[0], x[None, :] - centre[1]
    u = (np.cos(tilt) * dx + np.sin(tilt) * dy) / axes[1]
    v = (np.cos(tilt) * dy - np.sin(tilt) * dx) / axes[0]
    distance = (1 - np.sqrt(u**2 + v**2)) * min(axes)
    return np.clip(distance * min(len(y), len(x)) / 2 + 0.5, 0, 1).astype(np.float32)


def _texture(matrix: tuple[int, int], random: np.random.Generator) -> NDArray[np.float32]:
    """Smooth noise of deviation 1, with a random grain of 1 to 8 pixels."""
    noise = gaussian_filter(random.standard_normal(matrix, np.float32), random.uniform(1, 8), mode="wrap")
    return noise / max(float(noise.std()), np.finfo(np.float32).tiny)
