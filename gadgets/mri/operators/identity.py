"""The identity."""

from __future__ import annotations

from torch import Tensor

from gadgets.mri.operators.linear_operator import LinearOperator


class IdentityOp(LinearOperator):
    """1: x to x, of any shape. `A.gram + damping * IdentityOp()` is a damped normal operator."""

    def forward(self, x: Tensor) -> Tensor:
        """x."""
        return x

    def adjoint(self, y: Tensor) -> Tensor:
        """y."""
        return y

    @property
    def gram(self) -> LinearOperator:
        """The identity."""
        return self
