"""How noisy samples are, from what an image leaves unexplained."""

from __future__ import annotations

import torch
from torch import Tensor

# The median of |n|, of complex noise n with deviation 1 of its real and of its imaginary part: Rayleigh's.
_MEDIAN = 1.17741


def residual_noise(residual: Tensor, mask: Tensor) -> Tensor:
    """The deviation of the real part of the noise of samples, (*other, 1, 1, 1, 1), of those of each volume.

    residual: A x - y, (*other, coil, k2, k1, k0); mask: (*other, 1, k2, k1, k0), what was sampled. By the median: what
    the image or the maps miss is large at few samples, in the middle of k-space. An image that fits its noise leaves
    less of it: with many more coils than R it is little, with one coil the prior alone forbids it. 0 where nothing was
    sampled. Nothing is read back from the device.
    """
    size = torch.where(mask, residual.abs(), torch.nan).flatten(-4)
    middle = size.nanmedian(dim=-1).values[(..., *[None] * 4)]
    return torch.where(middle.isnan(), 0, middle) / _MEDIAN
