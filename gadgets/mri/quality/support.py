"""Where in an image the object is. Numpy and scipy only."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage


def support(image: NDArray[np.inexact]) -> NDArray[np.bool_]:
    """Mask of the object in the last two axes, each plane by itself: (..., y, x) bool of a real or complex image.

    Magnitudes above Otsu's threshold (of their square roots, so that dark tissue counts), opened by one point,
    reduced to the largest piece, and with its holes filled. Otsu, IEEE Trans SMC 1979;9:62.
    doi:10.1109/TSMC.1979.4310076
    """
    planes = np.abs(image).reshape(-1, *image.shape[-2:])
    return np.stack([_plane(plane) for plane in planes]).reshape(image.shape)


def _plane(magnitude: NDArray[np.floating]) -> NDArray[np.bool_]:
    root = np.sqrt(magnitude)
    bright = ndimage.binary_opening(root > _otsu(root))
    pieces, count = ndimage.label(bright)
    if count:
        bright = pieces == 1 + np.bincount(pieces.ravel())[1:].argmax()
    return np.asarray(ndimage.binary_fill_holes(bright), bool)


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
