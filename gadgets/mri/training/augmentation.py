"""Magnitude images made into other images, and seen with the resolution of a scan."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.fft import fft2, fftshift, ifft2, ifftshift
from scipy.ndimage import affine_transform, gaussian_filter

# Levels of grey, from nothing to the brightest, of which each gets another brightness.
_LEVELS = 5

# How much their phases differ, in radians: opposed phases are among them. How often they do.
_SPREAD, _OFTEN = 1.0, 0.3

# Points of a part on each point of the matrix, the least: seen larger, it would be smooth as no scan is.
_SHARP = 0.5

# Where objects begin to fade and where they have ended, in halves of the field of view.
_FADES, _ENDED = 0.75, 0.95


def augmented(
    magnitude: NDArray[np.floating], matrix: tuple[int, ...], random: np.random.Generator, *, enlarged: float = 1.0
) -> NDArray[np.complex64]:
    """A magnitude image (y, x) turned, mirrored and stretched onto `matrix`, in another contrast, from 0 to 1.

    The whole image fits into the new field of view to within a fifth or, `enlarged`, a part of it does. What reaches
    its border fades out before it: objects lie within the field of view, or k-space would join one side to the other
    with a step that neither maps nor images of scans have. One half of the images keeps the order of its tissues, in a
    random power; in the other, tissues have any brightness, as other sequences give them, and in some of these, as fat
    beside water, any phase.
    """
    image = np.asarray(magnitude, np.float32)
    if random.uniform() < 0.5:
        image = image.T
    image = image[:: random.choice((-1, 1)), :: random.choice((-1, 1))]
    whole = max(size / new for size, new in zip(image.shape, matrix, strict=True))
    enlarged = min(enlarged, max(1.0, whole / _SHARP))
    zoom = whole * random.uniform(0.8, 1.2) / enlarged
    angle = random.normal(0, 0.15)
    turn = zoom * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    turn = turn @ np.diag(random.uniform(0.9, 1.1, 2))
    middle = (np.array(image.shape) - 1) / 2 + random.normal(0, 0.03, 2) * image.shape
    # Parts are of where something is to be expected.
    middle = middle + 0.6 * random.uniform(-0.5, 0.5, 2) * (1 - 1 / enlarged) * image.shape
    offset = middle - turn @ ((np.array(matrix) - 1) / 2)
    # What the coarser grid cannot show is taken away first, or edges would come out as stairs.
    smooth = gaussian_filter(image, 0.4 * zoom) if zoom > 1 else image
    out = np.clip(affine_transform(smooth, turn, offset, tuple(matrix), order=1), 0, None)
    peak = float(out.max())
    return _contrast(out / peak, random) * _fade(matrix) if peak > 0 else out.astype(np.complex64)


def band_limited(image: NDArray[np.complexfloating], matrix: tuple[int, int]) -> NDArray[np.complex64]:
    """An image (y, x) as k-space of `matrix` around the centre shows it: with the ringing at edges that scans have.

    Raises ValueError for a matrix that is larger than the image.
    """
    if any(size > own for size, own in zip(matrix, image.shape, strict=True)):
        raise ValueError(f"matrix is {matrix}, expected at most {image.shape}")
    spectrum = fftshift(fft2(ifftshift(image)))
    (y, rows), (x, columns) = ((own // 2 - size // 2, size) for own, size in zip(image.shape, matrix, strict=True))
    kept = spectrum[y : y + rows, x : x + columns]
    scale = np.prod(matrix) / np.prod(image.shape)
    return (scale * fftshift(ifft2(ifftshift(kept)))).astype(np.complex64)


def _fade(matrix: tuple[int, ...]) -> NDArray[np.float32]:
    """1 inside, 0 at the border, along each axis (y, x)."""
    fade = np.ones(matrix, np.float32)
    for axis, size in enumerate(matrix):
        place = np.abs(np.arange(size) - (size - 1) / 2) / (size / 2)
        u = np.clip((_ENDED - place) / (_ENDED - _FADES), 0, 1)
        fade *= (u * u * (3 - 2 * u)).reshape([-1 if k == axis else 1 for k in range(2)])
    return fade


def _contrast(image: NDArray[np.floating], random: np.random.Generator) -> NDArray[np.complex64]:
    """An image from 0 to 1 in another contrast; what is 0 stays so, and the brightest point is 1."""
    if random.uniform() < 0.5:
        return (image ** random.uniform(0.7, 1.4)).astype(np.complex64)
    levels = np.zeros(_LEVELS, complex)
    spread = _SPREAD if random.uniform() < _OFTEN else 0.0
    levels[1:] = random.uniform(0.1, 1, _LEVELS - 1) * np.exp(1j * random.normal(0, spread, _LEVELS - 1))
    other = np.interp(image, np.linspace(0, 1, _LEVELS), levels)
    return (other / np.abs(other).max()).astype(np.complex64)
