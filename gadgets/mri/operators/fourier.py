"""The Fourier transform as an operator."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from gadgets.mri.fft import fft, ifft
from gadgets.mri.operators.identity import IdentityOp
from gadgets.mri.operators.linear_operator import LinearOperator


class FourierOp(LinearOperator):
    """F: image (..., z, y, x) to Cartesian k-space (..., k2, k1, k0), centred and orthonormal; F^H F = 1."""

    def __init__(self, axes: Sequence[int] = (-3, -2, -1)) -> None:
        self.axes = tuple(axes)

    def forward(self, x: Tensor) -> Tensor:
        """F x."""
        return fft(x, self.axes)

    def adjoint(self, y: Tensor) -> Tensor:
        """F^H y."""
        return ifft(y, self.axes)

    @property
    def gram(self) -> LinearOperator:
        """The identity."""
        return IdentityOp()
