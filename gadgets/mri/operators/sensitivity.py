"""Sensitivities of the receiver coils."""

from __future__ import annotations

from functools import reduce

import torch
from torch import Tensor

from gadgets.mri.operators.linear_operator import LinearOperator


class SensitivityOp(LinearOperator):
    """S: image (*other, set, z, y, x) to coil images (*other, coil, z, y, x), (S x)_c = sum_s csm_sc x_s.

    csm: (*other, set * coil, z, y, x) complex, the maps of the first set first; axes of length 1 in `other` broadcast.
    One set of maps is what one object in the field of view needs; where it folds onto itself, as many images as fold
    lie at a point, each seen by the coils in its own way.
    Uecker et al., MRM 2014;71:990. doi:10.1002/mrm.24751
    """

    def __init__(self, csm: Tensor, sets: int = 1) -> None:
        if csm.ndim < 4 or not csm.is_complex():
            raise ValueError(
                f"csm is {csm.dtype} of shape {tuple(csm.shape)}, expected complex (*other, set * coil, z, y, x)"
            )
        if sets < 1 or csm.shape[-4] % sets:
            raise ValueError(f"csm has shape {tuple(csm.shape)}, which is not {sets} sets of maps of the same coils")
        self.csm = csm
        self.sets = sets
        self._maps = csm.unflatten(-4, (sets, -1)).unbind(-5)

    def forward(self, x: Tensor) -> Tensor:
        """S x."""
        self._require("image", x, self.sets)
        return reduce(torch.add, (maps * one for maps, one in zip(self._maps, x.split(1, dim=-4), strict=True)))

    def adjoint(self, y: Tensor) -> Tensor:
        """S^H y, of components sum_c conj(csm_sc) y_c."""
        self._require("coil images", y, self.csm.shape[-4] // self.sets)
        return torch.cat([(maps.conj() * y).sum(dim=-4, keepdim=True) for maps in self._maps], dim=-4)

    @property
    def bound(self) -> Tensor:
        """What ||S||^2 is at most, per volume (*other, 1, 1, 1, 1), exact for one set and for orthogonal ones.

        That of a point is the largest eigenvalue of the sets' Gram matrix, which no row's sum of magnitudes is below.
        """
        rows = [sum((a.conj() * b).sum(dim=-4, keepdim=True).abs() for b in self._maps) for a in self._maps]
        return torch.stack(rows).amax(dim=0).amax(dim=(-3, -2, -1), keepdim=True)

    def split(self, coils: int) -> list[SensitivityOp]:
        """Operators of at most so many coils each, in order; S^H M S is the sum of theirs where M mixes no coils."""
        parts = self.csm.unflatten(-4, (self.sets, -1)).split(coils, dim=-4)
        return [SensitivityOp(part.flatten(-5, -4), self.sets) for part in parts]

    def _require(self, name: str, given: Tensor, channels: int) -> None:
        """Refuse what has not `channels` and the matrix of the maps."""
        matrix = tuple(self.csm.shape[-3:])
        if given.shape[-4:] != (channels, *matrix):
            expected = ", ".join(map(str, (channels, *matrix)))
            raise ValueError(f"{name} has shape {tuple(given.shape)}, expected (*other, {expected})")


def combine_sets(image: Tensor) -> Tensor:
    """One image (*other, 1, z, y, x) from those of all sets (*other, set, z, y, x).

    Its magnitude is sqrt(sum_s |x_s|^2), its phase that of the first set (0 where that is 0). An image of one set is
    returned as it is.
    """
    if image.shape[-4] == 1:
        return image
    first = image.narrow(-4, 0, 1)
    size = first.abs()
    phase = torch.where(size > 0, first / torch.where(size > 0, size, 1), 1)
    return torch.linalg.vector_norm(image, dim=-4, keepdim=True) * phase
