"""Distances between an image and a reference. Numpy only; shapes are free, but must be the same."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def nrmse(
    image: NDArray[np.inexact],
    reference: NDArray[np.inexact],
    mask: NDArray[np.bool_] | None = None,
    *,
    scaled: bool = False,
) -> float:
    """||image - reference|| / ||reference||, within `mask` if given.

    scaled: the image is first multiplied by the number that brings it nearest to the reference, complex where one of
    the two is complex, else real. Raises ValueError for different shapes and for a reference that is zero.
    """
    a, b = _within(image, reference, mask)
    size = np.linalg.norm(b)
    if size == 0:
        raise ValueError("the reference is zero where it is compared")
    if scaled and a.any():
        a = a * (np.vdot(a, b) / np.vdot(a, a).real)
    return float(np.linalg.norm(a - b) / size)


def psnr(image: NDArray[np.inexact], reference: NDArray[np.inexact], mask: NDArray[np.bool_] | None = None) -> float:
    """20 log10(max |reference| / root mean square error) in dB, within `mask` if given; infinite without error."""
    a, b = _within(image, reference, mask)
    error = np.sqrt(np.mean(np.abs(a - b) ** 2))
    return float(20 * np.log10(np.abs(b).max() / error)) if error > 0 else float("inf")


def _within(
    image: NDArray[np.inexact], reference: NDArray[np.inexact], mask: NDArray[np.bool_] | None
) -> tuple[NDArray[np.inexact], NDArray[np.inexact]]:
    """Both as vectors of double precision."""
    if image.shape != reference.shape:
        raise ValueError(f"image has shape {image.shape}, reference has shape {reference.shape}")
    where = np.ones(image.shape, bool) if mask is None else np.broadcast_to(mask, image.shape)
    if not where.any():
        raise ValueError("the mask is empty")
    a, b = (x[where].astype(np.result_type(x.dtype, np.float64)) for x in (image, reference))
    return a, b
