"""Signals in time as sums of a few courses."""

from __future__ import annotations

import torch
from torch import Tensor

from gadgets.mri.operators.linear_operator import LinearOperator


class SubspaceOp(LinearOperator):
    """Phi: coefficient images (*other, rank, coil, z, y, x) to frames (*other, time, coil, z, y, x), sum_r phi_tr c_r.

    basis: phi (*other, time, rank), real or complex; axes of length 1 in `other` broadcast. Where its columns are
    orthonormal, Phi^H Phi = 1.
    Liang, IEEE ISBI 2007:988. doi:10.1109/ISBI.2007.357020
    Tamir et al., MRM 2017;77:180. doi:10.1002/mrm.26102
    """

    def __init__(self, basis: Tensor) -> None:
        if basis.ndim < 2 or basis.shape[-2] < basis.shape[-1]:
            raise ValueError(
                f"basis has shape {tuple(basis.shape)}, expected (*other, time, rank) with no more rank than time"
            )
        self.basis = basis

    @classmethod
    def from_signals(cls, signals: Tensor, rank: int) -> SubspaceOp:
        """The `rank` orthonormal courses that are nearest to signals (*other, n, time): their principal components."""
        if not 1 <= rank <= min(signals.shape[-2:]):
            raise ValueError(
                f"rank is {rank}, expected 1 to {min(signals.shape[-2:])} for signals {tuple(signals.shape)}"
            )
        # Eigenvectors of the small matrix of time by time, in double precision, since it holds squares.
        fine = signals.to(torch.promote_types(signals.dtype, torch.float64))
        vectors = torch.linalg.eigh(fine.mT @ fine.conj()).eigenvectors
        return cls(vectors[..., -rank:].flip(-1).to(signals.dtype))

    def forward(self, x: Tensor) -> Tensor:
        """Phi x."""
        return _mix(self.basis, x)

    def adjoint(self, y: Tensor) -> Tensor:
        """Phi^H y."""
        return _mix(self.basis.mH, y)

    @property
    def gram(self) -> LinearOperator:
        """Phi^H Phi, of rank x rank numbers."""
        return SubspaceOp(self.basis.mH @ self.basis)


def _mix(matrix: Tensor, x: Tensor) -> Tensor:
    if x.ndim < 5 or x.shape[-5] != matrix.shape[-1]:
        raise ValueError(f"images have shape {tuple(x.shape)}, expected (*other, {matrix.shape[-1]}, coil, z, y, x)")
    dtype = torch.promote_types(matrix.dtype, x.dtype)
    return torch.einsum("...tr,...rczyx->...tczyx", matrix.to(dtype), x.to(dtype))
