"""Smooth functions by their low frequencies."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from gadgets.mri.operators.linear_operator import LinearOperator

# The functions are periodic in this many fields of view, so that opposite edges need not be alike.
_PERIOD = 1.5
# Exponent of the weight, and the weight below which frequencies are left out.
_ORDER = 16
_LEAST = 1e-3


class SmoothMapsOp(LinearOperator):
    """Coefficients (*other, coil, f2, f1, f0) to smooth maps (*other, coil, z, y, x), a weighted Fourier series:

        c(r) = n^-1/2 sum_f w(f) a(f) exp(2 pi i f r),  w(f) = (1 + |f|^2 / s^2)^-16,

    r in fields of view from the centre, f in cycles per field of view, n the number of points of one period. Maps are
    periodic in 1.5 fields of view. So the sum of |a|^2 is a Sobolev norm of the maps, which is large for what
    changes fast: half-way down, w is at f = s / 4.8. `smoothness`: s; it has the same meaning at all matrices.

    Uecker et al., MRM 2008;60:674. doi:10.1002/mrm.21691
    """

    def __init__(self, matrix: Sequence[int], smoothness: float, like: Tensor) -> None:
        if not smoothness > 0:
            raise ValueError(f"smoothness is {smoothness}, expected a frequency above 0")
        reach = smoothness * (_LEAST ** (-1 / _ORDER) - 1) ** 0.5
        self._waves, squares = [], torch.zeros(1, 1, 1, dtype=torch.float64, device=like.device)
        for axis, length in enumerate(matrix):
            # Of more frequencies than points, some would be the same on the grid.
            most = min(int(reach * _PERIOD), (length - 1) // 2) if length > 1 else 0
            f = torch.arange(-most, most + 1, device=like.device, dtype=torch.float64) / _PERIOD
            r = (torch.arange(length, device=like.device, dtype=torch.float64) - length // 2) / length
            scale = (_PERIOD * length) ** -0.5 if length > 1 else 1.0
            self._waves.append((scale * torch.exp(2j * torch.pi * r[:, None] * f)).to(like.dtype))
            squares = squares + f.square().reshape([-1 if other == axis else 1 for other in range(3)])
        self._weight = (1 + squares / smoothness**2).pow(-_ORDER).to(like.real.dtype)

    @property
    def coefficients(self) -> tuple[int, ...]:
        """(f2, f1, f0): how many coefficients there are along each axis."""
        return tuple(self._weight.shape)

    def forward(self, x: Tensor) -> Tensor:
        """The maps."""
        return self._along_axes(self._weight * x, self._waves)

    def adjoint(self, y: Tensor) -> Tensor:
        """Weighted coefficients of the maps."""
        return self._weight * self._along_axes(y, [waves.mH for waves in self._waves])

    @staticmethod
    def _along_axes(x: Tensor, waves: Sequence[Tensor]) -> Tensor:
        """Multiply the last three axes by a matrix each."""
        x = x @ waves[2].mT
        x = waves[1] @ x
        return (waves[0] @ x.flatten(-2)).unflatten(-1, x.shape[-2:]) if x.shape[-3] > 1 else waves[0][0, 0] * x
