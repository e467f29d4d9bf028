"""GRAPPA and coil combination in one step, in image space, with the choices of Gadgetron's generic chains."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gadgets.mri.calibration.grappa import grappa_kernels
from gadgets.mri.calibration.inati import inati
from gadgets.mri.calibration.low_resolution import smooth_low_resolution
from gadgets.mri.calibration.region import calibration_region
from gadgets.mri.calibration.sampling import Lattice
from gadgets.mri.calibration.unmixing import grappa_unmixing
from gadgets.mri.kspace import KSpace


@dataclass(frozen=True, kw_only=True)
class GrappaCombination:
    """u_j(r) with image(r) = sum_j u_j(r) (F^H z)_j(r), z the k-space of the lattice and zero elsewhere.

    u = conj(csm) for complete k-space; else `grappa_unmixing` of kernels that are fitted to all lines, those of the
    lattice too. Maps are Inati's, of images of low resolution. Only the first of the channels are made and combined:
    `keep` of them, or with keep = 0 those before the first one that has less than `threshold` of the first one's
    energy (below 0: all). So channels should come in the order of their energy.

    map_size: points (z, y, x) that a map is estimated from; kernel_size: points (k2, k1, k0) of the kernels; damping:
    Tikhonov's, relative to the mean energy of a source.

    Breuer et al., MRM 2009;62:739. doi:10.1002/mrm.22066
    """

    map_size: tuple[int, int, int] = (5, 7, 7)
    kernel_size: tuple[int, int, int] = (4, 4, 5)
    damping: float = 0.0005
    threshold: float = 0.002
    keep: int = 0

    def channels(self, data: Tensor) -> int:
        """How many channels are made of calibration data (coil, k2, k1, k0)."""
        if self.keep:
            return min(self.keep, len(data))
        energies = torch.linalg.vector_norm(data.flatten(1), dim=1).square()
        weak = (energies < self.threshold * energies[0]).tolist()
        return weak.index(True) if True in weak else len(data)

    def coefficients(self, reference: KSpace, steps: tuple[int, int], channels: int) -> Tensor:
        """Coefficients (coil, z, y, x) for a lattice of `steps` along k2 and k1; the first `channels` are made.

        reference: (coil, k2, k1, k0), of which the largest fully sampled box around the centre counts, with readouts as
        long as they are. With steps of 1 coefficients are those of the channels made. Raises ValueError for a box
        that is too small for the kernels, and for kernels of different lengths along two accelerated axes.
        """
        csm = inati(smooth_low_resolution(reference)[:channels], kernel=self.map_size, as_gadgetron=True)
        if steps == (1, 1):
            return csm.conj().resolve_conj()
        lines = {size for size, step in zip(self.kernel_size[:2], steps, strict=True) if step > 1}
        if len(lines) > 1:
            raise ValueError(
                f"kernels are {self.kernel_size[0]} lines long along k2 and {self.kernel_size[1]} along k1, expected "
                "the same number where both axes are accelerated"
            )
        mask = reference.mask.expand(1, *reference.matrix)
        k2, k1, _ = calibration_region(mask)
        readout = mask[0, k2, k1].all(dim=0).all(dim=0).nonzero()
        kernels = grappa_kernels(
            reference.data[:, k2, k1, int(readout[0]) : int(readout[-1]) + 1],
            steps,
            lines=lines.pop(),
            samples=self.kernel_size[2],
            neighbours=self.kernel_size[0 if steps[0] == 1 else 1],
            damping=self.damping,
            fit_lattice=True,
        )
        return grappa_unmixing(kernels[:, :, :channels], csm)


def on_lattice(data: Tensor, lattice: Lattice) -> Tensor:
    """K-space (coil, k2, k1, k0) of the lines of the lattice alone, without further lines that were acquired."""
    if lattice.extra is None:
        return data
    rows, columns = _places(lattice)
    out = torch.zeros_like(data)
    out[:, rows, columns] = data[:, rows, columns]
    return out


def noise_scale(matrix: tuple[int, int, int], lattice: Lattice) -> float:
    """Factor that makes unmixed images of `lattice` units of SNR: noise as of complete k-space, but for the g-factor.

    Unmixing keeps the signal, and zero-filled images have less noise, by the square root of the share (of matrix, (k2,
    k1, k0)) that was acquired. As in Gadgetron, it is 1 where all lines are there, even if readouts are shorter.
    """
    rows, columns = _places(lattice)
    lines = len(range(rows.start, rows.stop, rows.step)) * len(range(columns.start, columns.stop, columns.step))
    share = lines / (matrix[0] * matrix[1])
    if share >= 1:
        return 1.0
    share *= (lattice.readout.stop - lattice.readout.start) / matrix[2]
    return float(share**-0.5 / (lattice.steps[0] * lattice.steps[1]))


def _places(lattice: Lattice) -> tuple[slice, slice]:
    """The lines of the lattice along k2 and k1."""
    (first2, first1), (part2, part1), (step2, step1) = lattice.first, lattice.extent, lattice.steps
    return slice(first2, part2.stop, step2), slice(first1, part1.stop, step1)
