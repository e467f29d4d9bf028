"""How noisy an image is, from the image alone."""

from __future__ import annotations

import torch
from torch import Tensor

# The median of |n|, of complex noise n with deviation 1 of its real and of its imaginary part: Rayleigh's.
_MEDIAN = 1.17741


def image_noise(image: Tensor) -> Tensor:
    """The deviation of the real part of the noise of complex images (*other, 1, z, y, x): (*other, 1, 1, 1, 1).

    It is that of diagonal differences of four neighbours, (a - b - c + d) / 2, by the median, which edges move little:
    that of white noise, and one value for noise that differs from place to place. Points that are exactly 0 do not
    count; 0 for an image of nothing. Nothing is read back from the device.
    Donoho and Johnstone, Biometrika 1994;81:425. doi:10.1093/biomet/81.3.425
    """
    height, width = (length // 2 * 2 for length in image.shape[-2:])
    corners = [image[..., row:height:2, column:width:2] for row in (0, 1) for column in (0, 1)]
    detail = (corners[0] - corners[1] - corners[2] + corners[3]).abs() / 2
    there = torch.stack([corner != 0 for corner in corners]).all(dim=0)
    size = torch.where(there, detail, torch.nan).flatten(-4)
    middle = size.nanmedian(dim=-1).values[(..., *[None] * 4)]
    return torch.where(middle.isnan(), 0, middle) / _MEDIAN
