"""Samples kept from a network, to see what it makes of those that it has."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import repeat

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gadgets.mri.kspace import KSpace

# Points of the middle of k-space, per axis, that are never taken away: without them there is no image.
_KEPT = 4
#: What is seen, and what is held out.
Pair = tuple[KSpace, KSpace]
# What a pair of a network that learns from one scan holds out: this share of the readouts, alone where there are at
# least so many; with that share of all other points where there are fewer, but not less than so many; or that share of
# the points. docs/claims_zero_shot.md
_READOUTS, _MANY = 0.3, 12
_BESIDE, _FEW = 0.2, 4
_POINTS = 0.4


def split(kspace: KSpace, share: float, random: np.random.Generator) -> Pair:
    """`kspace` in two: what is left, and `share` of the acquired samples, taken at random with a Gaussian density.

    The same samples are taken of all coils; the middle of k-space stays with the first. Along axes on which sampling is
    constant (readouts) single points are taken as well: a network sees neighbours of what it has to predict.
    Yaman et al., MRM 2020;84:3172. doi:10.1002/mrm.28378

    Raises ValueError unless 0 < share < 1.
    """
    if not 0 < share < 1:
        raise ValueError(f"share is {share}, expected more than 0 and less than 1")
    mask = kspace.mask.expand(*kspace.other, 1, *kspace.matrix)
    taken = _taken(kspace, mask, share, random)
    return _part(kspace, mask & ~taken), _part(kspace, mask & taken)


def split_zero_shot(
    kspace: KSpace, random: np.random.Generator, *, stop: float = 0.2, pairs: int = 8
) -> tuple[list[Pair], list[Pair], KSpace]:
    """Splits of one scan: `pairs` of (seen, held out) to train with, others to stop by, and what all of the first show.

    `stop` of the samples, points, decide when to stop, and no training sees them. Of the others, each pair holds out
    three tenths of the readouts of a Cartesian k-space, all but those of the middle: whole readouts are what such a
    scan lacks. Where there are less than twelve to choose from, it holds out a fifth of all other points, too; and two
    fifths of the points alone where there are less than four, or samples are no readouts (a Poisson disc in the plane),
    or along a trajectory. There is one pair to stop by, which shows all samples of the training; with twelve readouts
    or more, there are three, each without a third of them, on which it holds out the points to stop by.
    Yaman, Hosseini and Akcakaya, ICLR 2022. arXiv:2102.07737, which holds out points
    """
    training, stopping = split(kspace, stop, random)
    among = _readouts(kspace)
    fewest = 0 if among is None else int(among.sum(axis=(-4, -3, -2, -1)).min())
    if among is None or fewest < _FEW:
        return [split(training, _POINTS, random) for _ in range(pairs)], [(training, stopping)], training
    parts = []
    for _ in range(pairs):
        held = _drawn(among, random).to(training.mask.device)
        seen = _part(training, training.mask & ~held)
        if fewest < _MANY:
            seen, _ = split(seen, _BESIDE, random)
        parts.append((seen, _part(training, training.mask & ~seen.mask)))
    if fewest < _MANY:
        return parts, [(training, stopping)], training
    thirds = [third.to(training.mask.device) for third in _thirds(among, random)]
    stops = [(_part(training, training.mask & ~one), _part(stopping, stopping.mask & one)) for one in thirds]
    return parts, stops, training


def splitter(share: float) -> Callable[[KSpace, int], Pair] | None:
    """`split` of k-space with the random numbers of a seed; None for a share of 0."""
    return (lambda kspace, seed: split(kspace, share, np.random.default_rng(seed))) if share else None


def _taken(kspace: KSpace, mask: Tensor, share: float, random: np.random.Generator) -> Tensor:
    """As many acquired samples of each element of `other`, drawn without replacement."""
    flat = mask.reshape(-1, math.prod(kspace.matrix)).cpu().numpy()
    taken = np.zeros_like(flat)
    for acquired, out, distances in zip(flat, taken, _distances(kspace), strict=True):
        density, middle = np.ones(acquired.shape), np.ones(acquired.shape, bool)
        for length, distance in zip(kspace.image_matrix, distances, strict=True):
            # Wide enough for the edge of k-space to be drawn at all: a quarter of the axis.
            density = density * np.exp(-((distance / max(length / 4, 1)) ** 2) / 2)
            middle = middle & (distance <= _KEPT // 2)
        weights = np.where(acquired & ~middle, density, 0)
        count = min(round(share * acquired.sum()), np.count_nonzero(weights))
        if count:
            out[random.choice(len(weights), count, replace=False, p=weights / weights.sum())] = True
    return torch.from_numpy(taken).reshape(mask.shape).to(mask.device)


def _readouts(kspace: KSpace) -> NDArray[np.bool_] | None:
    """Readouts that may be held out, (*other, 1, k2, k1, 1); None where samples are no readouts of a grid."""
    mask = kspace.mask.expand(*kspace.other, 1, *kspace.matrix)
    acquired = mask.any(dim=-1, keepdim=True)
    if kspace.trajectory is not None or not (acquired & mask.any(dim=(-3, -2), keepdim=True)).equal(mask):
        return None
    away = [np.abs(np.arange(length) - length // 2) > _KEPT // 2 for length in kspace.matrix[:2]]
    readouts: NDArray[np.bool_] = acquired.cpu().numpy() & (away[0][:, None, None] | away[1][:, None])
    return readouts


def _drawn(readouts: NDArray[np.bool_], random: np.random.Generator) -> Tensor:
    """A share of the readouts of each element of `other`."""
    flat = readouts.reshape(-1, math.prod(readouts.shape[-4:]))
    drawn = np.zeros_like(flat)
    for row, out in zip(flat, drawn, strict=True):
        among = np.flatnonzero(row)
        out[random.choice(among, round(_READOUTS * len(among)), replace=False)] = True
    return torch.from_numpy(drawn.reshape(readouts.shape))


def _thirds(readouts: NDArray[np.bool_], random: np.random.Generator) -> list[Tensor]:
    """The readouts of each element of `other` in three parts, drawn without replacement."""
    flat = readouts.reshape(-1, math.prod(readouts.shape[-4:]))
    thirds = np.zeros((3, *flat.shape), bool)
    for index, row in enumerate(flat):
        for third, part in zip(thirds, np.array_split(random.permutation(np.flatnonzero(row)), 3), strict=True):
            third[index, part] = True
    return [torch.from_numpy(third.reshape(readouts.shape)) for third in thirds]


def _distances(kspace: KSpace) -> Iterable[NDArray[np.float64]]:
    """How far samples are from the centre along each axis, (3, k2 k1 k0) for each element of `other`."""
    if kspace.trajectory is None:
        axes = [np.abs(np.arange(length) - length // 2.0) for length in kspace.matrix]
        return repeat(np.stack(np.meshgrid(*axes, indexing="ij")).reshape(3, -1), math.prod(kspace.other))
    places = kspace.trajectory.abs().expand(*kspace.other, 3, *kspace.matrix)
    return places.reshape(-1, 3, math.prod(kspace.matrix)).double().cpu().numpy()


def _part(kspace: KSpace, mask: Tensor) -> KSpace:
    return replace(kspace, data=torch.where(mask, kspace.data, 0), mask=mask)
