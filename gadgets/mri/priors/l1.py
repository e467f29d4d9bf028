"""Sparsity."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, kw_only=True, eq=False)
class L1:
    """g(x) = sum_i weight_i |x_i|, x of any shape, `weight` a number or a tensor that broadcasts against x.

    Its prox is soft thresholding of the magnitude: x_i max(1 - step weight_i / |x_i|, 0). The phase is kept.
    Donoho, IEEE Trans Inf Theory 1995;41:613. doi:10.1109/18.382009
    """

    weight: float | Tensor = 1.0

    def value(self, x: Tensor) -> Tensor:
        """sum_i weight_i |x_i|."""
        return (self.weight * x.abs()).sum()

    def prox(self, x: Tensor, step: float | Tensor) -> Tensor:
        """x_i max(1 - step weight_i / |x_i|, 0)."""
        magnitude = x.abs()
        excess = (magnitude - step * self.weight).clamp_min(0)
        return x * (excess / torch.where(magnitude == 0, 1, magnitude)).to(magnitude.dtype)
