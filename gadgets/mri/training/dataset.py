"""Batches for training, made as they are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Dataset

from gadgets.mri.calibration.splits import split
from gadgets.mri.training.anatomy import anatomy
from gadgets.mri.training.simulation import Example, Simulation


class Images(Protocol):
    """Magnitude images (y, x) by number; each may have a size of its own."""

    def __len__(self) -> int:
        """How many there are."""

    def __getitem__(self, index: int) -> NDArray[np.floating]:
        """One image."""


class Generated(Sequence[NDArray[np.floating]]):
    """`count` images of random anatomy, always the same ones for the same seed."""

    def __init__(self, count: int, seed: int, *, size: int = 160) -> None:
        self._count, self._seed, self._size = count, seed, size

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> NDArray[np.floating]:  # type: ignore[override]
        if not 0 <= index < self._count:
            raise IndexError(f"image {index} of {self._count}")
        return anatomy((self._size, self._size), np.random.default_rng([self._seed, index]))


class Simulated(Dataset[Example]):
    """`batches` batches of scans. Batch i depends on (seed, epoch, i) alone, whoever makes it and in what order.

    held_out: the share of each scan's samples that stands apart, in `Example.held_out`; 0 for none. maps: those of real
    scans, by `measured_maps`.

    Raises ValueError where there are no images, or no maps for coils that are to be those of real scans.
    """

    def __init__(
        self,
        images: Images,
        simulation: Simulation,
        *,
        batches: int,
        batch: int,
        seed: int,
        epoch: int = 0,
        held_out: float = 0.0,
        maps: Sequence[NDArray[np.complexfloating]] = (),
    ) -> None:
        if not len(images):
            raise ValueError("there are no images to simulate scans from")
        if simulation.measured and not maps:
            raise ValueError(f"simulation.measured is {simulation.measured}, but there are no maps of real scans")
        self._images, self._simulation = images, simulation
        self._batches, self._batch, self._seed, self._epoch = batches, batch, seed, epoch
        self._held_out, self._maps = held_out, maps

    def __len__(self) -> int:
        return self._batches

    def __getitem__(self, index: int) -> Example:
        random = np.random.default_rng([self._seed, self._epoch, index])
        chosen = random.integers(len(self._images), size=self._batch)
        example = self._simulation.scans([self._images[int(image)] for image in chosen], random, self._maps)
        if not self._held_out:
            return example
        seen, kept = split(example.kspace, self._held_out, random)
        return replace(example, kspace=seen, held_out=kept)
