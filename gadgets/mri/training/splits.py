"""Samples kept from a network, to see what it makes of those that it has."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from gadgets.mri.kspace import KSpace

# Points of the middle of k-space, per axis, that are never taken away: without them there is no image.
_KEPT = 4


def split(kspace: KSpace, share: float, random: np.random.Generator) -> tuple[KSpace, KSpace]:
    """`kspace` in two: what is left, and `share` of the acquired samples, taken at random with a Gaussian density.

    The same samples are taken of all coils; the middle of k-space stays with the first. Along axes on which sampling is
    constant (readouts) single points are taken as well: a network sees neighbours of what it has to predict.
    Yaman et al., MRM 2020;84:3172. doi:10.1002/mrm.28378

    Raises ValueError unless 0 < share < 1.
    """
    if not 0 < share < 1:
        raise ValueError(f"share is {share}, expected more than 0 and less than 1")
    mask = kspace.mask.expand(*kspace.other, 1, *kspace.matrix)
    taken = _taken(mask, share, random)
    return _part(kspace, mask & ~taken), _part(kspace, mask & taken)


def split_zero_shot(
    kspace: KSpace, random: np.random.Generator, *, stop: float = 0.2, loss: float = 0.4, pairs: int = 8
) -> tuple[list[tuple[KSpace, KSpace]], tuple[KSpace, KSpace]]:
    """Splits of one scan: `pairs` of (seen, held out) to train with, and one to stop by, which no training sees.

    `stop` of the samples decide when to stop; of the others, each pair holds out another `loss`. The pair to stop by
    shows the network all samples of the training.
    Yaman, Hosseini and Akcakaya, ICLR 2022. arXiv:2102.07737
    """
    training, validation = split(kspace, stop, random)
    return [split(training, loss, random) for _ in range(pairs)], (training, validation)


def _taken(mask: Tensor, share: float, random: np.random.Generator) -> Tensor:
    """As many acquired samples of each element of `other`, drawn without replacement."""
    lengths = mask.shape[-3:]
    distances = [np.abs(np.arange(length) - length // 2) for length in lengths]
    density = np.ones(lengths)
    middle = np.ones(lengths, bool)
    for axis, (length, distance) in enumerate(zip(lengths, distances, strict=True)):
        shape = [-1 if a == axis else 1 for a in range(3)]
        # Wide enough for the edge of k-space to be drawn at all: a quarter of the axis.
        density = density * np.exp(-((distance / max(length / 4, 1)) ** 2) / 2).reshape(shape)
        middle = middle & (distance <= _KEPT // 2).reshape(shape)
    flat = mask.reshape(-1, density.size).cpu().numpy()
    taken = np.zeros_like(flat)
    for acquired, out in zip(flat, taken, strict=True):
        weights = np.where(acquired & ~middle.ravel(), density.ravel(), 0)
        count = min(round(share * acquired.sum()), np.count_nonzero(weights))
        if count:
            out[random.choice(len(weights), count, replace=False, p=weights / weights.sum())] = True
    return torch.from_numpy(taken).reshape(mask.shape).to(mask.device)


def _part(kspace: KSpace, mask: Tensor) -> KSpace:
    return KSpace(data=torch.where(mask, kspace.data, 0), mask=mask)
