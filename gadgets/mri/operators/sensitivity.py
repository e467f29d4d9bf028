"""Sensitivities of the receiver coils."""

from __future__ import annotations

from torch import Tensor

from gadgets.mri.operators.linear_operator import LinearOperator


class SensitivityOp(LinearOperator):
    """S: image (*other, 1, z, y, x) to coil images (*other, coil, z, y, x), (S x)_c = csm_c x.

    csm: (*other, coil, z, y, x) complex; axes of length 1 in `other` broadcast.
    """

    def __init__(self, csm: Tensor) -> None:
        if csm.ndim < 4 or not csm.is_complex():
            raise ValueError(
                f"csm is {csm.dtype} of shape {tuple(csm.shape)}, expected complex (*other, coil, z, y, x)"
            )
        self.csm = csm

    def forward(self, x: Tensor) -> Tensor:
        """S x."""
        if x.shape[-4] != 1 or x.shape[-3:] != self.csm.shape[-3:]:
            raise ValueError(f"image has shape {tuple(x.shape)}, expected (*other, 1, {_matrix(self.csm)})")
        return self.csm * x

    def adjoint(self, y: Tensor) -> Tensor:
        """S^H y = sum_c conj(csm_c) y_c."""
        if y.shape[-4:] != self.csm.shape[-4:]:
            expected = f"(*other, {self.csm.shape[-4]}, {_matrix(self.csm)})"
            raise ValueError(f"coil images have shape {tuple(y.shape)}, expected {expected}")
        return (self.csm.conj() * y).sum(dim=-4, keepdim=True)


def _matrix(csm: Tensor) -> str:
    return ", ".join(str(length) for length in csm.shape[-3:])
