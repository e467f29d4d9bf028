"""Complex volumes as real planes, which is what convolutions take."""

from __future__ import annotations

import torch
from torch import Tensor


def to_planes(x: Tensor) -> Tensor:
    """Complex (*other, channel, z, y, x) as real (plane, 2 channel, y, x): all real parts, then all imaginary parts."""
    stacked = torch.cat([x.real, x.imag], dim=-4).movedim(-3, -4)
    return stacked.reshape(-1, *stacked.shape[-3:])


def from_planes(planes: Tensor, like: Tensor) -> Tensor:
    """Real (plane, 2 channel, y, x) as complex (*other, channel, z, y, x), the other axes being those of `like`."""
    planes = planes.to(like.real.dtype)  # there are no complex numbers of half precision
    real, imaginary = planes.reshape(*like.shape[:-4], like.shape[-3], *planes.shape[-3:]).chunk(2, dim=-3)
    return torch.complex(real, imaginary).movedim(-4, -3)
