"""Rings of k-space: samples that are about as far from its centre."""

from __future__ import annotations

import torch
from torch import Tensor

from gadgets.mri.kspace import KSpace

# How wide a ring is, in cycles per field of view of the longest axis.
_WIDTH = 2.0


class Rings:
    """The samples of one volume by rings (shells, in three dimensions) around the centre of k-space.

    radius (1, k2, k1, k0): how far samples are from it, see `radius`. index (1, k2, k1, k0): the ring of each, 0 in the
    centre. count (ring): how many samples a ring has, those of all coils being one.
    """

    def __init__(self, kspace: KSpace) -> None:
        self._mask = kspace.mask.expand(1, *kspace.matrix)
        self._matrix = kspace.image_matrix
        self.radius = radius(kspace)
        self.index = self._ring(self.radius)
        self.count = self._sum(self._mask.to(self.radius.dtype), self.index)

    def mean(self, energy: Tensor) -> Tensor:
        """The mean (ring) of what samples (coil, k2, k1, k0) have; 0 in rings without any."""
        total = (energy * self._mask).sum(dim=-4, keepdim=True)
        return self._sum(total, self.index) / (len(energy) * self.count).clamp_min(1)

    def representing(self, points: Tensor | None = None) -> Tensor:
        """Weights (1, k2, k1, k0) with which squared errors of samples add up to those of the points of k-space.

        Of all points of the Cartesian grid of the image, or of `points` (*, k2, k1, k0): what samples tell of others is
        what they are themselves, on average over their ring. So weighted, samples stand for the squared error of the
        image (Parseval), however dense they are; what lies in rings without samples is not counted.
        """
        grid = _grid_radius(self._matrix, self.radius.device)
        present = torch.ones_like(grid) if points is None else points.expand(grid.shape).to(grid.dtype)
        there = self._sum(present, self._ring(grid), len(self.count))
        return (there / self.count.clamp_min(1))[self.index] * self._mask

    def nearer(self) -> Tensor:
        """Where points of the Cartesian grid of the image are in rings nearer to the centre than all samples' are."""
        first = torch.where(self._mask, self.index, len(self.count)).min()
        return self._ring(_grid_radius(self._matrix, self.radius.device)) < first

    def _ring(self, at: Tensor) -> Tensor:
        return (at * max(self._matrix) / 2 / _WIDTH).long()

    def _sum(self, x: Tensor, index: Tensor, rings: int | None = None) -> Tensor:
        """Ring by ring; of the first `rings` of them."""
        total = torch.zeros(int(index.max()) + 1, dtype=x.dtype, device=x.device)
        total = total.index_add(0, index.flatten(), x.flatten())
        if rings is None:
            return total
        return torch.nn.functional.pad(total, (0, max(0, rings - len(total))))[:rings]


def radius(kspace: KSpace) -> Tensor:
    """How far samples of a volume are from the centre of k-space, (1, k2, k1, k0): 1 at the end of each axis."""
    if kspace.trajectory is None:
        return _grid_radius(kspace.matrix, kspace.data.device)
    halves = torch.tensor(kspace.image_matrix, device=kspace.data.device)[:, None, None, None] / 2
    scaled = torch.where(halves > 0.5, kspace.trajectory.abs() / halves, 0)
    return torch.linalg.vector_norm(scaled, dim=-4, keepdim=True).expand(1, *kspace.matrix)


def _grid_radius(matrix: tuple[int, ...], device: torch.device) -> Tensor:
    axes = [(torch.arange(n, device=device) - n // 2) / max(1, n / 2) for n in matrix]
    return torch.stack(torch.meshgrid(*axes, indexing="ij")).norm(dim=0)[None]
