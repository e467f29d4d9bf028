"""Sampling on the Cartesian grid."""

from __future__ import annotations

import torch
from torch import Tensor

from gadgets.mri.operators.linear_operator import LinearOperator


class SamplingOp(LinearOperator):
    """P: k-space (*other, coil, k2, k1, k0) to itself, with zeros where `mask` is false; P^H P = P.

    mask: bool, broadcastable against k-space, (*other, 1, k2, k1, k0) as a rule.
    """

    def __init__(self, mask: Tensor) -> None:
        if mask.dtype != torch.bool:
            raise TypeError(f"mask is {mask.dtype}, expected torch.bool")
        self.mask = mask

    def forward(self, x: Tensor) -> Tensor:
        """P x."""
        return self.mask * x

    def adjoint(self, y: Tensor) -> Tensor:
        """P^H y = P y."""
        return self.mask * y

    @property
    def gram(self) -> LinearOperator:
        """P."""
        return self
