"""Structural similarity. Numpy and scipy only."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter


def ssim(image: NDArray[np.floating], reference: NDArray[np.floating], mask: NDArray[np.bool_] | None = None) -> float:
    """Mean structural similarity of the last two axes, within `mask` if given; 1 for equal images.

    (2 m_a m_b + c1)(2 s_ab + c2) / ((m_a^2 + m_b^2 + c1)(s_a^2 + s_b^2 + c2)) with means and covariances in a Gaussian
    window of 1.5 points, c1 = (0.01 L)^2, c2 = (0.03 L)^2, L the range of the reference (per call). Images are real;
    axes before the last two are images of their own. Raises ValueError for complex or different shapes.

    Wang et al., IEEE TIP 2004;13:600. doi:10.1109/TIP.2003.819861
    """
    if image.shape != reference.shape:
        raise ValueError(f"image has shape {image.shape}, reference has shape {reference.shape}")
    if np.iscomplexobj(image) or np.iscomplexobj(reference):
        raise ValueError("ssim compares real images: take the magnitude first")
    a, b = image.astype(np.float64), reference.astype(np.float64)
    sigma = (0,) * (a.ndim - 2) + (1.5, 1.5)

    def mean(x: NDArray[np.float64]) -> NDArray[np.float64]:
        # 5 points to each side: the window of 11 x 11 points of the paper.
        return np.asarray(gaussian_filter(x, sigma, truncate=3.5))

    span = b.max() - b.min()
    c1, c2 = (0.01 * span) ** 2, (0.03 * span) ** 2
    ma, mb = mean(a), mean(b)
    saa, sbb, sab = mean(a * a) - ma * ma, mean(b * b) - mb * mb, mean(a * b) - ma * mb
    similarity = (2 * ma * mb + c1) * (2 * sab + c2) / ((ma**2 + mb**2 + c1) * (saa + sbb + c2))
    return float(similarity.mean() if mask is None else similarity[np.broadcast_to(mask, a.shape)].mean())
