"""The base of operators that are not linear."""

from __future__ import annotations

from torch import Tensor

from gadgets.mri.operators.linear_operator import LinearOperator


class NonlinearOperator:
    """A differentiable map of tensors, F. Subclasses give `forward` and `derivative`.

    `F(x)` is F(x), and `F.derivative(x)` the linear operator DF(x) with F(x + h) = F(x) + DF(x) h + o(|h|).
    """

    def forward(self, x: Tensor) -> Tensor:
        """F(x)."""
        raise NotImplementedError(f"{type(self).__name__}.forward")

    def derivative(self, x: Tensor) -> LinearOperator:
        """DF(x)."""
        raise NotImplementedError(f"{type(self).__name__}.derivative")

    def __call__(self, x: Tensor) -> Tensor:
        return self.forward(x)
