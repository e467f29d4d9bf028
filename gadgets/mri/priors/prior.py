"""What every prior does."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor


class Prior(Protocol):
    """A function g of a tensor, and its proximal map.

    Both take real and complex tensors, keep the dtype and carry NaN on. Weights and steps are not negative; where they
    are tensors, they have length 1 along the axes that the prior looks at together, and broadcast along the others, so
    that slices may have weights of their own.
    Parikh and Boyd, Found Trends Optim 2014;1:127. doi:10.1561/2400000003
    """

    def value(self, x: Tensor) -> Tensor:
        """g(x), one real number."""

    def prox(self, x: Tensor, step: float | Tensor) -> Tensor:
        """argmin_z g(z) + ||z - x||^2 / (2 step)."""
