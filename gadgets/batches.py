"""Slices that wait together, as one: networks take many at once, which keeps a GPU busy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from gadgets.attempts import Guarded, Made, Slice
from gadgets.mri.kspace import KSpace

#: Slices that are reconstructed at once, at most: more would hold the first image back and take memory.
MOST = 8


def together(guarded: Guarded, waiting: Sequence[Slice], *, looked_at: bool = False) -> Iterator[tuple[Tensor, Made]]:
    """The image of each slice and how it was made, as `guarded` alone would give them, in order.

    Slices in a row that are alike, on a grid, with maps and for a learned method, are reconstructed at once. Where that
    fails, they are one by one, so that what fails has a name, and what was made before it is kept.
    """
    for batch in _batches(guarded, waiting):
        made = guarded.at_once(_joined(batch), len(batch), looked_at=looked_at) if len(batch) > 1 else None
        for place, one in enumerate(batch):
            if made is None:
                yield guarded(one, looked_at=looked_at)
            else:
                yield made[0][place : place + 1], _of(made[1], place, len(batch))


def _batches(guarded: Guarded, waiting: Sequence[Slice]) -> Iterator[list[Slice]]:
    batch: list[Slice] = []
    for one in waiting:
        if batch and (not guarded.first.learned or len(batch) == MOST or not _alike(batch[0], one)):
            yield batch
            batch = []
        batch.append(one)
    if batch:
        yield batch


def _alike(a: Slice, b: Slice) -> bool:
    if a.csm is None or b.csm is None or a.kspace.trajectory is not None or b.kspace.trajectory is not None:
        return False
    shapes = [(one.kspace.data.shape, one.kspace.mask.shape, one.csm.shape) for one in (a, b) if one.csm is not None]
    return shapes[0] == shapes[1] and a.space == b.space


def _joined(batch: Sequence[Slice]) -> Slice:
    """Several slices as one, along LOC."""
    whole = KSpace(
        data=torch.cat([one.kspace.data for one in batch]),
        mask=torch.cat([one.kspace.mask.expand(1, *[-1] * (one.kspace.mask.ndim - 1)) for one in batch]),
    )
    return replace(batch[0], kspace=whole, csm=torch.cat([one.csm for one in batch if one.csm is not None]))


def _of(made: Made, place: int, count: int) -> Made:
    """How one of several was made."""
    residual = None if made.residual is None else made.residual[place : place + 1]
    return replace(made, residual=residual, reconstruction_seconds=made.reconstruction_seconds / count)
