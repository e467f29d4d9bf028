"""Mixing of coils at each point of the image."""

from __future__ import annotations

import torch
from torch import Tensor

from gadgets.mri.operators.linear_operator import LinearOperator


class CoilMixingOp(LinearOperator):
    """M: coil images (*other, coil, z, y, x) to coil images, (M x)_c(r) = sum_j m_cj(r) x_j(r).

    matrices: (*other, coil, coil, z, y, x) complex; axes of length 1 in `other` broadcast. In k-space this is a
    convolution that makes each sample of each coil from the neighbours of all coils.
    """

    def __init__(self, matrices: Tensor) -> None:
        if matrices.ndim < 5 or not matrices.is_complex():
            raise ValueError(
                f"matrices are {matrices.dtype} of shape {tuple(matrices.shape)}, "
                "expected complex (*other, coil, coil, z, y, x)"
            )
        self.matrices = matrices

    def forward(self, x: Tensor) -> Tensor:
        """M x."""
        return _mixed(self.matrices, x)

    def adjoint(self, y: Tensor) -> Tensor:
        """M^H y."""
        return _mixed(self.matrices.transpose(-5, -4).conj(), y)

    @property
    def gram(self) -> LinearOperator:
        """M^H M, of matrices that are multiplied once."""
        adjoint = self.matrices.transpose(-5, -4).conj()
        columns = [_mixed(adjoint, column) for column in self.matrices.unbind(-4)]
        return CoilMixingOp(torch.stack(columns, dim=-4))


def _mixed(matrices: Tensor, x: Tensor) -> Tensor:
    n_coils, *matrix = matrices.shape[-4:]
    if list(x.shape[-4:]) != [n_coils, *matrix]:
        expected = ", ".join(str(length) for length in (n_coils, *matrix))
        raise ValueError(f"coil images have shape {tuple(x.shape)}, expected (*other, {expected})")
    # One input coil after the other: the products of all at once would be as large as the matrices.
    y = matrices.select(-4, 0) * x.narrow(-4, 0, 1)
    for coil in range(1, n_coils):
        y = y + matrices.select(-4, coil) * x.narrow(-4, coil, 1)
    return y
