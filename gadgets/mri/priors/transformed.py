"""What is known of images after a unitary transform."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from gadgets.mri.operators.linear_operator import LinearOperator
from gadgets.mri.priors.prior import Prior


@dataclass(frozen=True, kw_only=True, eq=False)
class Transformed:
    """g(x) = prior(W x), W a unitary operator (W^H W = W W^H = 1), such as a Fourier transform along time.

    Its prox is W^H prox(W x), which holds for unitary W only; others are split off by pdhg and admm.
    Combettes and Pesquet, Fixed-Point Algorithms for Inverse Problems 2011:185. doi:10.1007/978-1-4419-9569-8_10
    """

    operator: LinearOperator
    prior: Prior

    def value(self, x: Tensor) -> Tensor:
        """prior(W x)."""
        return self.prior.value(self.operator(x))

    def prox(self, x: Tensor, step: float | Tensor) -> Tensor:
        """W^H prox(W x)."""
        return self.operator.H(self.prior.prox(self.operator(x), step))
