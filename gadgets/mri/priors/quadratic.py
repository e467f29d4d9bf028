"""Nearness to an image."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, kw_only=True, eq=False)
class Quadratic:
    """g(x) = weight ||x - centre||^2, x of any shape, `centre` an image or 0, `weight` a number or broadcasting.

    Its prox is the weighted mean (x + 2 step weight centre) / (1 + 2 step weight). With weight 0 it is the prior that
    knows nothing.
    Tikhonov, Soviet Math Dokl 1963;4:1035; Hoerl and Kennard, Technometrics 1970;12:55.
    doi:10.1080/00401706.1970.10488634
    """

    weight: float | Tensor = 1.0
    centre: Tensor | float = 0.0

    def value(self, x: Tensor) -> Tensor:
        """weight ||x - centre||^2."""
        return (self.weight * (x - self.centre).abs().square()).sum()

    def prox(self, x: Tensor, step: float | Tensor) -> Tensor:
        """(x + 2 step weight centre) / (1 + 2 step weight)."""
        pull = 2 * step * self.weight
        return (x + pull * self.centre) / (1 + pull)
