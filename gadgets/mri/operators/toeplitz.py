"""Convolution with a point spread function."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from gadgets.mri.operators.linear_operator import LinearOperator


class ToeplitzOp(LinearOperator):
    """x (*other, coil, z, y, x) convolved with a point spread function, (T x)_r = sum_q p_(r - q) x_q.

    p: (*other, 1, 2z, 2y, 2x), centred, Hermitian (p_-d is conj p_d), along axes of one point not doubled. It is
    computed by FFTs of twice the length, so that nothing folds over.
    Wajer and Pruessmann, ISMRM 2001;9:767. Fessler et al., IEEE Trans Signal Process 2005;53:3393.
    doi:10.1109/TSP.2005.853152
    """

    def __init__(self, spread: Tensor, matrix: Sequence[int]) -> None:
        self.matrix = tuple(matrix)
        self._axes = [axis - 3 for axis in range(3) if spread.shape[axis - 3] != matrix[axis]]
        for axis in self._axes:
            # The distance -n, to which there is no n, is no distance between two points.
            spread = spread.clone()
            spread.narrow(axis, 0, 1).zero_()
        # Hermitian: its transform is real, up to rounding.
        self._kernel = torch.fft.fftn(torch.fft.ifftshift(spread, self._axes), dim=self._axes).real

    @property
    def points(self) -> int:
        """Points of an image of twice the length."""
        return math.prod(self._kernel.shape[-3:])

    @property
    def bound(self) -> Tensor:
        """What ||T|| is at most, per volume (*other, 1, 1, 1, 1): that of the circular convolution it is part of."""
        return self._kernel.amax(dim=(-4, -3, -2, -1), keepdim=True)

    def forward(self, x: Tensor) -> Tensor:
        """T x."""
        # One axis after the other: what is zero before the last is not transformed.
        for axis in reversed(self._axes):
            x = torch.fft.fft(x, n=2 * self.matrix[axis], dim=axis)
        x = x * self._kernel.to(x.real.dtype)
        for axis in self._axes:
            x = torch.fft.ifft(x, dim=axis).narrow(axis, 0, self.matrix[axis])
        return x

    def adjoint(self, y: Tensor) -> Tensor:
        """T^H y = T y."""
        return self.forward(y)
