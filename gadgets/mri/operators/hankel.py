"""K-space as the matrix of its patches."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import torch
from torch import Tensor

from gadgets.mri.operators.linear_operator import LinearOperator


class HankelOp(LinearOperator):
    """H: k-space (*other, coil, k2, k1, k0) to (*other, place, coil * patch), whose rows are all patches of all coils.

    matrix: (k2, k1, k0); kernel: points of a patch along each. Places are in the order of k-space, their number is the
    product of matrix - kernel + 1; a row holds coil, then the points of the patch. The matrix has low rank where
    channels are one object seen by smooth sensitivities, or an object of limited support. The gram multiplies each
    point by the number of patches that hold it, so H's pseudo-inverse takes the mean over all entries of a point.
    Shin et al., MRM 2014;72:959. doi:10.1002/mrm.24997
    """

    def __init__(self, matrix: Sequence[int], kernel: Sequence[int]) -> None:
        self.matrix, self.kernel = tuple(matrix), tuple(kernel)
        fits = len(self.matrix) == len(self.kernel) == 3
        if not fits or any(not 1 <= w <= n for w, n in zip(self.kernel, self.matrix, strict=True)):
            raise ValueError(f"kernel is {self.kernel}, expected three lengths from 1 to those of {self.matrix}")
        self._places = tuple(n - w + 1 for w, n in zip(self.kernel, self.matrix, strict=True))

    def forward(self, x: Tensor) -> Tensor:
        """H x."""
        if tuple(x.shape[-3:]) != self.matrix or x.ndim < 4:
            raise ValueError(f"k-space has shape {tuple(x.shape)}, expected (*other, coil, {self._text(self.matrix)})")
        patches = x
        for axis, width in enumerate(self.kernel):
            patches = patches.unfold(x.ndim - 3 + axis, width, 1)
        # (*other, coil, places, kernel): the coils go behind the places.
        return patches.movedim(-7, -4).flatten(-4).flatten(-4, -2)

    def adjoint(self, y: Tensor) -> Tensor:
        """H^H y: the sum of all entries of each point."""
        rows, columns = y.shape[-2:]
        points, places = (torch.Size(n).numel() for n in (self.kernel, self._places))
        if rows != places or columns % points:
            raise ValueError(f"patches have shape {tuple(y.shape)}, expected (*other, {places}, coil * {points})")
        patches = y.unflatten(-1, (-1, *self.kernel)).unflatten(-5, self._places).movedim(-4, -7)
        x = y.new_zeros((*patches.shape[:-6], *self.matrix))
        n2, n1, n0 = self._places
        for a, b, c in product(*(range(width) for width in self.kernel)):
            x[..., a : a + n2, b : b + n1, c : c + n0] += patches[..., a, b, c]
        return x

    def pseudo_inverse(self, y: Tensor) -> Tensor:
        """(H^H H)^-1 H^H y: the k-space whose patches are nearest to y, the mean of all entries of each point."""
        return self.adjoint(y) / self._count(y)

    @property
    def gram(self) -> LinearOperator:
        """Multiplication by the number of patches that hold a point."""
        return _HankelGram(self)

    def _count(self, like: Tensor) -> Tensor:
        """Patches that hold each point, (k2, k1, k0)."""
        counts = torch.ones((), dtype=like.real.dtype, device=like.device)
        for n, w in zip(self.matrix, self.kernel, strict=True):
            at = torch.arange(n, device=like.device)
            along = torch.minimum(at + 1, n - at).clamp_max(min(w, n - w + 1))
            counts = counts.unsqueeze(-1) * along
        return counts

    @staticmethod
    def _text(lengths: Sequence[int]) -> str:
        return ", ".join(str(length) for length in lengths)


class _HankelGram(LinearOperator):
    def __init__(self, operator: HankelOp) -> None:
        self._operator = operator

    def forward(self, x: Tensor) -> Tensor:
        return self._operator._count(x) * x

    def adjoint(self, y: Tensor) -> Tensor:
        return self.forward(y)
