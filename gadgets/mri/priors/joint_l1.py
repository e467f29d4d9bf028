"""Sparsity that several images share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, kw_only=True, eq=False)
class JointL1:
    """g(x) = sum_i weight_i ||x_i||, x_i the numbers along `axes` (coils, contrasts, components of a gradient) at i.

    `weight`: a number or a tensor that broadcasts against x, of length 1 along `axes`. Its prox shortens each group and
    keeps its direction: x_i max(1 - step weight_i / ||x_i||, 0).
    Yuan and Lin, J R Stat Soc B 2006;68:49. doi:10.1111/j.1467-9868.2005.00532.x
    """

    axes: Sequence[int]
    weight: float | Tensor = 1.0

    def value(self, x: Tensor) -> Tensor:
        """sum_i weight_i ||x_i||."""
        return (self.weight * self._length(x)).sum()

    def prox(self, x: Tensor, step: float | Tensor) -> Tensor:
        """x_i max(1 - step weight_i / ||x_i||, 0)."""
        length = self._length(x)
        excess = (length - step * self.weight).clamp_min(0)
        return x * (excess / torch.where(length == 0, 1, length)).to(length.dtype)

    def _length(self, x: Tensor) -> Tensor:
        return torch.linalg.vector_norm(x, dim=tuple(self.axes), keepdim=True)
