"""Images that are sums of parts, of which different things are known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gadgets.mri.priors.prior import Prior


@dataclass(frozen=True, kw_only=True, eq=False)
class Separate:
    """g(x) = sum_i priors_i(x_i), x (part, ...) with as many parts as priors; the prox is that of each part.

    A step that is a tensor broadcasts against x and has length 1 along the parts.
    Parikh and Boyd, Found Trends Optim 2014;1:127. doi:10.1561/2400000003
    """

    priors: Sequence[Prior]

    def value(self, x: Tensor) -> Tensor:
        """sum_i priors_i(x_i)."""
        values = [prior.value(part) for prior, part in zip(self.priors, self._parts(x), strict=True)]
        return torch.stack(values).sum()

    def prox(self, x: Tensor, step: float | Tensor) -> Tensor:
        """The prox of each part."""
        each = step.squeeze(0) if isinstance(step, Tensor) and step.ndim == x.ndim else step
        return torch.stack([prior.prox(part, each) for prior, part in zip(self.priors, self._parts(x), strict=True)])

    def _parts(self, x: Tensor) -> Tensor:
        if len(x) != len(self.priors):
            raise ValueError(f"x has shape {tuple(x.shape)}, expected {len(self.priors)} parts on its first axis")
        return x
