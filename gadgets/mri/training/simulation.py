"""Scans simulated from magnitude images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gadgets.mri.calibration.sensitivities import sensitivities
from gadgets.mri.fft import fft, ifft
from gadgets.mri.kspace import KSpace
from gadgets.mri.operators.non_uniform_fourier import NonUniformFourierOp
from gadgets.mri.training.augmentation import augmented, band_limited
from gadgets.mri.training.coils import coil_ring
from gadgets.mri.training.masks import PATTERNS, REGULAR, spoke_count, spokes
from gadgets.mri.training.measured_coils import measured_coils
from gadgets.mri.training.phase import smooth_phase

# The largest ratio of the two axes of a matrix.
_ASPECT = 1.4

# Regular lines are so many times fewer at least.
_LEAST_REGULAR = 2

#: The pattern that is not on the grid.
RADIAL = "radial"


@dataclass(frozen=True, kw_only=True, eq=False)
class Example:
    """Scans with their truth.

    kspace: (*other, coil, k2, k1, k0). csm: (*other, coil, z, y, x). image: (*other, 1, z, y, x), which is sum_c
    conj(csm_c) times the coil images of full sampling: what perfect unfolding with these maps would give.
    held_out: samples that are kept from the network, where there are any.
    """

    kspace: KSpace
    csm: Tensor
    image: Tensor
    held_out: KSpace | None = None


@dataclass(frozen=True, kw_only=True)
class Simulation:
    """What scans are like. Pairs are ranges, both ends included, of which each scan gets a value of its own.

    matrix: points per axis, their inverse uniform, so that no size takes most of the time; y and x are much alike.
    excerpt: the largest side that is simulated, 0 for any: of larger matrices a part is seen, as if it were the whole.
    coils (log-uniform). acceleration: as the pattern takes it, calibration lines on top. centre: calibration lines.
    noise: deviation of a coil's noise, relative to the brightest point of the image (log-uniform). patterns: names of
    sampling patterns, any of which is as likely: `PATTERNS`, or `radial` alone, since a model is for one of the kinds.
    estimated: the share of scans whose maps are estimated, as for patients; the others have their true maps. separate:
    the share of regularly sampled scans whose calibration lines serve for nothing but the maps, as many protocols have
    it. resolvable: regular lines are at most coils / `resolvable` times fewer, and where that is less than two, lines
    are at random; what coils cannot tell apart teaches a network to blur. 0 for any lines with any coils. noiseless:
    whether the truth is without noise; else it has the noise of full sampling, as the truth of measured scans, and
    nothing teaches a network to take away what was measured.

    mixing: how much receivers mix. Scans are as a reconstruction gets them, after noise adjustment: where receivers had
    noise of a covariance L L^H, their channels were multiplied with L^-1, after which noise is white and what each
    sees is a mixture. Here the mixture is drawn (1 plus `mixing` times a random matrix), 0 for receivers of equal and
    independent noise. measured: the share of scans with the coils of real scans, where one has as many of them; the
    others have computed ones.

    Raises ValueError for ranges that are empty or below what there can be, for unknown patterns, and for what cannot be
    together.
    """

    matrix: tuple[int, ...] = (96, 128)
    coils: tuple[int, ...] = (1, 16)
    acceleration: tuple[float, ...] = (2.0, 6.0)
    centre: tuple[int, ...] = (16, 28)
    noise: tuple[float, ...] = (0.003, 0.05)
    patterns: tuple[str, ...] = ("uniform", "random")
    excerpt: int = 0
    mixing: float = 0.3
    measured: float = 0.0
    estimated: float = 0.5
    separate: float = 0.0
    resolvable: float = 0.0
    noiseless: bool = True

    def __post_init__(self) -> None:
        least = {"matrix": 8, "coils": 1, "acceleration": 1, "centre": 1, "noise": 0}
        for name, low in least.items():
            given = getattr(self, name)
            if len(given) != 2 or not low <= given[0] <= given[1]:
                raise ValueError(f"simulation.{name} is {given}, expected two numbers in order, at least {low}")
        known = (*PATTERNS, RADIAL)
        unknown = sorted(set(self.patterns) - set(known))
        if unknown or not self.patterns:
            raise ValueError(f"there is no pattern {', '.join(unknown) or 'given'}; there are: {', '.join(known)}")
        if self.radial and len(set(self.patterns)) > 1:
            raise ValueError(f"simulation.patterns is {self.patterns}, expected {RADIAL} alone or patterns on the grid")
        if self.radial and not self.noiseless:
            raise ValueError(
                f"simulation.noiseless is false, which {RADIAL} scans cannot have: no full sampling has their noise"
            )
        for name in ("measured", "estimated", "separate"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"simulation.{name} is {getattr(self, name)}, expected 0 to 1")

    @property
    def radial(self) -> bool:
        """Whether scans are radial, and not on the grid."""
        return RADIAL in self.patterns

    def scans(
        self,
        magnitudes: Sequence[NDArray[np.floating]],
        random: np.random.Generator,
        maps: Sequence[NDArray[np.complexfloating]] = (),
    ) -> Example:
        """One scan of each magnitude image (y, x), all with the same coil count, matrix and kind of sampling.

        Images are `augmented`, get a smooth phase, and are seen with the resolution of the matrix (`band_limited`).
        maps: those of real scans, by `measured_maps`.
        """
        matrix, enlarged = self._matrix(random)
        coils = round(np.exp(random.uniform(*np.log(self.coils))))
        pattern = self.patterns[random.integers(len(self.patterns))]
        if pattern in REGULAR and coils < self.resolvable * _LEAST_REGULAR:
            pattern = "random"
        # All scans of a batch have as many spokes.
        count = spoke_count(matrix, *self._density(random)) if self.radial else 0
        kspaces: list[KSpace] = []
        known, images = [], []
        for magnitude in magnitudes:
            fine = 2 * matrix[0], 2 * matrix[1]
            truth = band_limited(
                augmented(magnitude, fine, random, enlarged=enlarged) * smooth_phase(fine, random), matrix
            )
            csm = self._mixed(self._coils(coils, matrix, maps, random), random)
            seen = torch.from_numpy((csm * truth)[:, None])
            if self.radial:
                trajectory = torch.from_numpy(spokes(matrix, count, random))
                full = NonUniformFourierOp(trajectory, (1, *matrix))(seen)
            else:
                mask, reference = self._masks(matrix, pattern, coils, random)
                full = fft(seen, (-2, -1))
            level = np.exp(random.uniform(*np.log(np.maximum(self.noise, 1e-9))))
            noise = float(level * np.abs(truth).max() / np.sqrt(2)) * random.standard_normal(
                (2, *full.shape), np.float32
            )
            noisy = full + torch.complex(*torch.from_numpy(noise))
            if self.radial:
                sampled = torch.ones(1, *full.shape[1:], dtype=torch.bool)
                kspaces.append(KSpace(data=noisy, mask=sampled, trajectory=trajectory, grid=(1, *matrix)))
                calibration = kspaces[-1]
            else:
                sampled = torch.from_numpy(mask)[None, None]
                kspaces.append(KSpace(data=noisy * sampled, mask=sampled))
                calibration = KSpace.from_data(noisy * torch.from_numpy(reference))
                seen = ifft(full if self.noiseless else noisy, (-2, -1))
            known.append(self._known(calibration, torch.from_numpy(csm)[:, None], random))
            images.append((known[-1].conj() * seen).sum(dim=0, keepdim=True))
        return Example(kspace=_together(kspaces), csm=torch.stack(known), image=torch.stack(images))

    def _density(self, random: np.random.Generator) -> tuple[float, int]:
        """Acceleration and calibration lines."""
        acceleration = random.uniform(self.acceleration[0], self.acceleration[1])
        return acceleration, int(random.integers(self.centre[0], self.centre[1], endpoint=True))

    def _coils(
        self,
        coils: int,
        matrix: tuple[int, int],
        maps: Sequence[NDArray[np.complexfloating]],
        random: np.random.Generator,
    ) -> NDArray[np.complex64]:
        """Maps of real coils or of computed ones."""
        enough = [one for one in maps if len(one) >= coils] if self.measured else []
        if enough and random.uniform() < self.measured:
            return measured_coils(enough[random.integers(len(enough))], coils, matrix, random)
        return coil_ring(coils, matrix, random)

    def _matrix(self, random: np.random.Generator) -> tuple[tuple[int, int], float]:
        """Points of y and x, and by how much they are fewer than those of the whole."""
        low, high = self.matrix
        first = 1 / random.uniform(1 / high, 1 / low)
        second = np.clip(first * random.uniform(1 / _ASPECT, _ASPECT), low, high)
        axes = (first, second) if random.uniform() < 0.5 else (second, first)
        enlarged = max(1.0, max(axes) / self.excerpt) if self.excerpt else 1.0
        return (round(axes[0] / enlarged), round(axes[1] / enlarged)), enlarged

    def _masks(
        self, matrix: tuple[int, int], pattern: str, coils: int, random: np.random.Generator
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """(y, x) of what is reconstructed from, and of what maps are estimated from."""
        acceleration, centre = self._density(random)
        if self.resolvable and pattern in REGULAR:
            acceleration = min(acceleration, coils / self.resolvable)
        if pattern == "random":
            # Of few lines, half are for the rest of k-space.
            centre = min(centre, max(self.centre[0], round(matrix[0] / acceleration / 2)))
        seed = int(random.integers(1 << 32))
        mask = PATTERNS[pattern](matrix, acceleration, centre, np.random.default_rng(seed))
        if pattern not in REGULAR or random.uniform() >= self.separate:
            return mask, mask
        # The same lines again, but for those of calibration.
        return PATTERNS[pattern](matrix, acceleration, 0, np.random.default_rng(seed)), mask

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


def _together(kspaces: Sequence[KSpace]) -> KSpace:
    """Scans of the same shape as one."""
    trajectories = [kspace.trajectory for kspace in kspaces if kspace.trajectory is not None]
    return KSpace(
        data=torch.stack([kspace.data for kspace in kspaces]),
        mask=torch.stack([kspace.mask for kspace in kspaces]),
        trajectory=torch.stack(trajectories) if trajectories else None,
        grid=kspaces[0].grid,
    )
