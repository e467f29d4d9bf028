"""On what lattice k-space was sampled."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from math import gcd, prod

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gadgets.mri.kspace import KSpace

_LARGEST = 8


@dataclass(frozen=True, kw_only=True)
class Lattice:
    """Lines at k1 = first[1] + m steps[1] and k2 = first[0] + m shift + n steps[0], for all integers m and n.

    `shift` moves the lines of one k1 along k2 against those of the one before (CAIPIRINHA; -steps[0] / 2 < shift <=
    steps[0] / 2), so that every lattice can be written like this. 0 is a rectangular one. `extent` is the part of (k2,
    k1) from the first to the last line, in which all of the lattice was acquired, and `readout` the part of k0 that
    each readout covers. More lines than those of the lattice may be there: `extra`, the box in (k2, k1) that they fill,
    or None.
    """

    steps: tuple[int, int]
    shift: int = 0
    first: tuple[int, int]
    extent: tuple[slice, slice]
    readout: slice
    extra: tuple[slice, slice] | None

    @property
    def acceleration(self) -> int:
        """Points of the grid per line of the lattice."""
        return self.steps[0] * self.steps[1]

    @property
    def key(self) -> tuple[int, ...]:
        """The same for lattices with the same lines, but for their extent."""
        return (*self.steps, self.shift, *(self.first[axis] % self.steps[axis] for axis in (0, 1)), self.first[1])

    def lines(self, mask: Tensor) -> Tensor:
        """Of the samples in a mask (k2, k1, k0), those on the lattice."""
        k2, k1 = (torch.arange(length, device=mask.device) for length in mask.shape[:2])
        row = k1 - self.first[1]
        there = (row % self.steps[1] == 0) & (
            (k2[:, None] - self.first[0] - self.shift * (row // self.steps[1])) % self.steps[0] == 0
        )
        return mask & there[:, :, None]


def lattice(mask: Tensor) -> Lattice:
    """The densest lattice that was acquired without a gap, from the mask (k2, k1, k0) and from nothing else.

    Lines off the lattice are accepted where they, with those on it, fill a box: calibration lines. Lines may be missing
    at the borders of k-space (partial Fourier). Raises ValueError where there is no such lattice with steps of at most
    8, and where readouts differ in what they cover.
    """
    sampled = mask.cpu().numpy()
    lines, columns = np.asarray(sampled.any(axis=2)), np.asarray(sampled.any(axis=(0, 1)))
    if not lines.any():
        raise ValueError("nothing was acquired")
    readout = _extent(columns)
    if not columns[readout].all() or (sampled != lines[:, :, None] & columns).any():
        raise ValueError("readouts differ in what part of k0 they cover, or have gaps")
    extent = _extents(lines)
    box = lines[extent]
    k2, k1 = np.ogrid[: box.shape[0], : box.shape[1]]
    for step2, step1, shift in _choices(*box.shape):
        # Lines by the lattice that they are on: those of one number are all there, or there is a gap.
        number = k1 % step1 * step2 + (k2 - shift * (k1 // step1)) % step2
        for complete in np.flatnonzero(np.bincount(number[~box], minlength=step1 * step2) == 0):
            rest = box & (number != complete)
            extra = _extents(rest) if rest.any() else None
            if extra is None or box[extra].all():
                first1, first2 = divmod(int(complete), step2)
                return Lattice(
                    steps=(step2, step1),
                    shift=shift,
                    first=(extent[0].start + first2, extent[1].start + first1),
                    extent=extent,
                    readout=readout,
                    extra=None if extra is None else _moved(extra, extent),
                )
    raise ValueError(
        f"irregular sampling: the {int(lines.sum())} lines that were acquired of {lines.size} are neither every n-th "
        f"along k1 and k2, n at most {_LARGEST}, nor that with a fully sampled block of calibration lines"
    )


def per_lattice(kspace: KSpace, shared: Sequence[int]) -> Iterator[tuple[int, Tensor, Lattice]]:
    """Of each element of `other` in turn: the number of its calibration, its mask (k2, k1, k0) and its lattice.

    shared: the lengths of `other` of the calibration, 1 where several elements share it. Numbers count along all axes
    of `other` as one. Where nothing was acquired, nothing can be made: such an element counts as full.
    """
    masks = kspace.mask.expand(*kspace.other, 1, *kspace.matrix).reshape(-1, *kspace.matrix)
    sources = np.broadcast_to(np.arange(prod(shared)).reshape(shared), kspace.other).ravel()
    for mask, source in zip(masks, sources, strict=True):
        yield int(source), mask, lattice(mask if mask.any() else ~mask)


def _choices(length2: int, length1: int) -> list[tuple[int, int, int]]:
    """(step k2, step k1, shift), the densest first, and of those the rectangular ones."""
    found = []
    for step2, step1 in product(*(range(1, min(_LARGEST, length) + 1) for length in (length2, length1))):
        shifts = range(-((step2 - 1) // 2), step2 // 2 + 1) if length1 > step1 else (0,)
        found += [(step2, step1, shift) for shift in shifts]
    return sorted(found, key=lambda choice: (choice[0] * choice[1], choice[2] != 0, choice))


def _extent(there: NDArray[np.bool_]) -> slice:
    places = np.flatnonzero(there)
    return slice(int(places[0]), int(places[-1]) + 1)


def _extents(lines: NDArray[np.bool_]) -> tuple[slice, slice]:
    k2, k1 = (np.asarray(lines.any(axis=axis)) for axis in (1, 0))
    return _extent(k2), _extent(k1)


def _moved(part: tuple[slice, slice], within: tuple[slice, slice]) -> tuple[slice, slice]:
    a, b = (slice(w.start + p.start, w.start + p.stop) for p, w in zip(part, within, strict=True))
    return a, b


def require_neighbours(kspace: KSpace, method: str) -> None:
    """Raise ValueError where only every so many points of an axis were sampled: nothing tells its image from aliases.

    Methods that find out about the coils from samples next to each other have none there; `method` is named.
    """
    for axis, name in ((-3, "k2"), (-2, "k1"), (-1, "k0")):
        where = kspace.mask.movedim(axis, -1)
        volumes = where.reshape(-1, *where.shape[-4:]).flatten(1, -2).any(dim=1)
        for points in volumes:
            step = gcd(*points.nonzero().flatten().diff().tolist())
            if step > 1:
                raise ValueError(
                    f"along {name}, only one point of every {step} was sampled, which does not tell an image from "
                    f"its aliases: {method} needs a few neighbouring lines, or irregular sampling"
                )
