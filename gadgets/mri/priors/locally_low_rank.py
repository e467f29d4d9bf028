"""Images whose patches change in few ways."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gadgets.mri.priors.low_rank import threshold


@dataclass(frozen=True, kw_only=True, eq=False)
class LocallyLowRank:
    """g(x) = weight sum_b ||C_b x||_*, C_b x the Casorati matrix (time, point) of patch b.

    x: (*other, time, 1, z, y, x); patches of `patch` points (z, y, x) tile the volume without overlap, periodically,
    beginning at `shift` (z, y, x); those at the end of an axis that they do not divide are smaller. `weight`: a number,
    or a tensor (*other, 1, 1, 1, 1, 1). With a `generator`, each prox draws a shift of its own in place of `shift`:
    over the iterations of a solver, no place stays the border of patches.
    Trzasko and Manduca, ISMRM 2011;19:4371; Zhang, Pauly and Levesque, MRM 2015;73:655. doi:10.1002/mrm.25161
    """

    patch: Sequence[int] = (1, 8, 8)
    shift: Sequence[int] = (0, 0, 0)
    weight: float | Tensor = 1.0
    generator: torch.Generator | None = None

    def __post_init__(self) -> None:
        if len(self.patch) != 3 or min(self.patch) < 1:
            raise ValueError(f"patch is {tuple(self.patch)}, expected three lengths (z, y, x) of 1 or more")
        if len(self.shift) != 3:
            raise ValueError(f"shift is {tuple(self.shift)}, expected three numbers of points (z, y, x)")

    def value(self, x: Tensor) -> Tensor:
        """weight sum_b ||C_b x||_*, with the patches that begin at `shift`."""
        return (self._per_patch(self.weight) * torch.linalg.svdvals(self._patches(x, self.shift))).sum()

    def prox(self, x: Tensor, step: float | Tensor) -> Tensor:
        """Singular values of each patch less by step weight, or 0."""
        shift = self.shift if self.generator is None else self._draw(self.generator, x)
        patches = threshold(self._patches(x, shift), self._per_patch(step * self.weight))
        return self._assemble(patches, shift, x)

    @staticmethod
    def _draw(generator: torch.Generator, x: Tensor) -> list[int]:
        """A shift for each axis, drawn beside the device, so that nothing waits for it."""
        return [int(torch.randint(length, (), generator=generator)) for length in x.shape[-3:]]

    def _patches(self, x: Tensor, shift: Sequence[int]) -> Tensor:
        """Casorati matrices (*other, bz, by, bx, time, point); what is missing at the ends is 0 and adds no rank."""
        if x.ndim < 5 or x.shape[-4] != 1:
            raise ValueError(f"images have shape {tuple(x.shape)}, expected (*other, time, 1, z, y, x)")
        moved = torch.roll(x.squeeze(-4), [-s for s in shift], (-3, -2, -1))
        missing = [-n % p for n, p in zip(x.shape[-3:], self.patch, strict=True)]
        padded = torch.nn.functional.pad(moved, (0, missing[2], 0, missing[1], 0, missing[0]))
        for axis, length in zip((-3, -2, -1), self.patch, strict=True):
            # Each unfolding adds an axis at the end, so that the next axis to unfold is the same one further left.
            padded = padded.unfold(axis - (axis + 3), length, length)
        return padded.movedim(-7, -4).flatten(-3)

    def _assemble(self, patches: Tensor, shift: Sequence[int], x: Tensor) -> Tensor:
        """The images of which `_patches` made the patches."""
        *other, bz, by, bx, frames, _ = patches.shape
        pz, py, px = self.patch
        blocks = patches.reshape(*other, bz, by, bx, frames, pz, py, px).movedim(-4, -7)
        rows = blocks.movedim((-6, -5, -4), (-6, -4, -2)).reshape(*other, frames, bz * pz, by * py, bx * px)
        z, y, x_length = x.shape[-3:]
        return torch.roll(rows[..., :z, :y, :x_length], tuple(shift), (-3, -2, -1)).unsqueeze(-4)

    @staticmethod
    def _per_patch(weight: float | Tensor) -> float | Tensor:
        """A weight for each singular value (*other, 1, 1, 1, 1) from one that broadcasts against x."""
        return weight.squeeze(-5) if isinstance(weight, Tensor) and weight.ndim else weight
