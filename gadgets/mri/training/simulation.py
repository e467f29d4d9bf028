"""Scans simulated from magnitude images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import affine_transform, gaussian_filter
from torch import Tensor

from gadgets.mri.calibration.sensitivities import sensitivities
from gadgets.mri.fft import fft
from gadgets.mri.kspace import KSpace
from gadgets.mri.training.coils import coil_ring
from gadgets.mri.training.masks import PATTERNS
from gadgets.mri.training.phase import smooth_phase


@dataclass(frozen=True, kw_only=True, eq=False)
class Example:
    """Scans with their truth.

    kspace: (*other, coil, k2, k1, k0). csm: (*other, coil, z, y, x). image: (*other, 1, z, y, x), which is sum_c
    conj(csm_c) times the noiseless coil images of full sampling: what perfect unfolding with these maps would give.
    held_out: samples that are kept from the network, where there are any.
    """

    kspace: KSpace
    csm: Tensor
    image: Tensor
    held_out: KSpace | None = None


@dataclass(frozen=True, kw_only=True)
class Simulation:
    """What scans are like. Pairs are ranges, both ends included, of which each scan gets a value of its own.

    matrix: points per axis, for y and x by themselves. coils. acceleration: as the pattern takes it, calibration lines
    on top. centre: calibration lines. noise: deviation of a coil's noise, relative to the brightest point of the image
    (log-uniform). patterns: names of sampling patterns, any of which is as likely. mixing: how much receivers mix, in
    whitened scans by their noise: 0 not at all. estimated: the share of scans whose maps are estimated, as for
    patients; the others have their true maps.

    Raises ValueError for ranges that are empty or below what there can be, and for unknown patterns.
    """

    matrix: tuple[int, ...] = (96, 128)
    coils: tuple[int, ...] = (1, 16)
    acceleration: tuple[float, ...] = (2.0, 6.0)
    centre: tuple[int, ...] = (16, 28)
    noise: tuple[float, ...] = (0.003, 0.05)
    patterns: tuple[str, ...] = ("uniform", "random")
    mixing: float = 0.3
    estimated: float = 0.5

    def __post_init__(self) -> None:
        least = {"matrix": 8, "coils": 1, "acceleration": 1, "centre": 1, "noise": 0}
        for name, low in least.items():
            given = getattr(self, name)
            if len(given) != 2 or not low <= given[0] <= given[1]:
                raise ValueError(f"simulation.{name} is {given}, expected two numbers in order, at least {low}")
        unknown = sorted(set(self.patterns) - set(PATTERNS))
        if unknown or not self.patterns:
            raise ValueError(f"there is no pattern {', '.join(unknown) or 'given'}; there are: {', '.join(PATTERNS)}")

    def scans(self, magnitudes: Sequence[NDArray[np.floating]], random: np.random.Generator) -> Example:
        """One scan of each magnitude image (y, x), all with the same coil count, matrix and kind of sampling.

        Images are turned, mirrored, stretched and cut or padded to the matrix, and get a smooth phase; contrast is
        changed by a random power.
        """
        height, width = (int(random.integers(self.matrix[0], self.matrix[1], endpoint=True)) for _ in range(2))
        matrix = height, width
        coils = int(random.integers(self.coils[0], self.coils[1], endpoint=True))
        pattern = PATTERNS[self.patterns[random.integers(len(self.patterns))]]
        kspaces: list[KSpace] = []
        maps, images = [], []
        for magnitude in magnitudes:
            truth = augmented(magnitude, matrix, random) * smooth_phase(matrix, random)
            csm = self._mixed(coil_ring(coils, matrix, random), random)
            mask = pattern(
                matrix,
                random.uniform(self.acceleration[0], self.acceleration[1]),
                int(random.integers(self.centre[0], self.centre[1], endpoint=True)),
                random,
            )
            full = fft(torch.from_numpy((csm * truth)[:, None]), (-2, -1))
            level = np.exp(random.uniform(*np.log(np.maximum(self.noise, 1e-9))))
            noise = float(level * np.abs(truth).max() / np.sqrt(2)) * random.standard_normal(
                (2, *full.shape), np.float32
            )
            sampled = torch.from_numpy(mask)[None, None]
            kspaces.append(KSpace(data=(full + torch.complex(*torch.from_numpy(noise))) * sampled, mask=sampled))
            maps.append(self._known(kspaces[-1], torch.from_numpy(csm)[:, None], random))
            images.append((maps[-1].conj() * torch.from_numpy((csm * truth)[:, None])).sum(dim=0, keepdim=True))
        return Example(
            kspace=KSpace(data=torch.stack([k.data for k in kspaces]), mask=torch.stack([k.mask for k in kspaces])),
            csm=torch.stack(maps),
            image=torch.stack(images),
        )

    def _mixed(self, csm: NDArray[np.complex64], random: np.random.Generator) -> NDArray[np.complex64]:
        """Maps as whitened channels have them: mixed by some matrix near to one, and normalised again."""
        draw = random.standard_normal((2, len(csm), len(csm)))
        mix = np.eye(len(csm)) + self.mixing * (draw[0] + 1j * draw[1]) / np.sqrt(2 * len(csm))
        mixed = np.einsum("vc,cyx->vyx", mix, csm)
        size = np.sqrt((np.abs(mixed) ** 2).sum(axis=0))
        return (mixed / np.maximum(size, np.finfo(np.float32).tiny)).astype(np.complex64)

    def _known(self, kspace: KSpace, csm: Tensor, random: np.random.Generator) -> Tensor:
        """The maps that the reconstruction gets: the true ones, or those that the scan's calibration lines give."""
        if random.uniform() >= self.estimated:
            return csm
        found = sensitivities(kspace)
        return found if found.any() else csm


def augmented(
    magnitude: NDArray[np.floating], matrix: tuple[int, ...], random: np.random.Generator
) -> NDArray[np.float32]:
    """A magnitude image (y, x) turned, mirrored and stretched onto `matrix`, in another contrast, from 0 to 1.

    The whole image fits into the new field of view to within a fifth.
    """
    image = np.asarray(magnitude, np.float32)
    if random.uniform() < 0.5:
        image = image.T
    image = image[:: random.choice((-1, 1)), :: random.choice((-1, 1))]
    zoom = max(size / new for size, new in zip(image.shape, matrix, strict=True)) * random.uniform(0.8, 1.2)
    angle = random.normal(0, 0.15)
    turn = zoom * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    turn = turn @ np.diag(random.uniform(0.9, 1.1, 2))
    middle = (np.array(image.shape) - 1) / 2 + random.normal(0, 0.03, 2) * image.shape
    offset = middle - turn @ ((np.array(matrix) - 1) / 2)
    # What the coarser grid cannot show is taken away first, or edges would come out as stairs.
    smooth = gaussian_filter(image, 0.4 * zoom) if zoom > 1 else image
    out = np.clip(affine_transform(smooth, turn, offset, tuple(matrix), order=1), 0, None)
    peak = float(out.max())
    return ((out / peak) ** random.uniform(0.7, 1.4)).astype(np.float32) if peak > 0 else out
