"""Where in an image the object is. Numpy and scipy only."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage


def support(image: NDArray[np.inexact]) -> NDArray[np.bool_]:
    """Mask of the object in the last two axes, each plane by itself: (..., y, x) bool of a real or complex image.

    Magnitudes, smoothed by one point, above Otsu's threshold of their logarithms: object and noise are two classes of
    levels, however bright the brightest tissue is. Then gaps are closed, holes filled, specks and threads opened away
    (three points each), and the largest piece is kept.

    Otsu, IEEE Trans SMC 1979;9:62. doi:10.1109/TSMC.1979.4310076
    """
    planes = np.abs(image).reshape(-1, *image.shape[-2:])
    return np.stack([_plane(plane) for plane in planes]).reshape(image.shape)


def _plane(magnitude: NDArray[np.floating]) -> NDArray[np.bool_]:
    smooth = ndimage.gaussian_filter(magnitude.astype(np.float64), 1)
    peak = smooth.max()
    if not peak > 0:
        return np.zeros(magnitude.shape, bool)
    # Below a thousandth of the brightest there is nothing to tell apart, and log(0) has no level.
    level = np.log(np.maximum(smooth / peak, 1e-3))
    # Padded, because closing at the border of an image would otherwise take away from it.
    bright = ndimage.binary_closing(np.pad(level > _otsu(level), 3), iterations=3)[3:-3, 3:-3]
    solid = ndimage.binary_opening(ndimage.binary_fill_holes(bright), iterations=3)
    pieces, count = ndimage.label(solid)
    if count:
        solid = pieces == 1 + np.bincount(pieces.ravel())[1:].argmax()
    return np.asarray(solid, bool)


def _otsu(values: NDArray[np.floating]) -> float:
    """The threshold that splits values into two classes of largest variance between them."""
    counts, edges = np.histogram(values, bins=256)
    middle = (edges[1:] + edges[:-1]) / 2
    below = counts.cumsum()
    above = below[-1] - below
    total = (counts * middle).cumsum()
    valid = (below > 0) & (above > 0)
    difference = total / np.maximum(below, 1) - (total[-1] - total) / np.maximum(above, 1)
    between = np.where(valid, below * above * difference**2, 0)
    return float(edges[1 + between.argmax()])
