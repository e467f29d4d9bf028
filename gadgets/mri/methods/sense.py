"""SENSE."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gadgets.mri.calibration.sampling import Lattice
from gadgets.mri.calibration.sensitivities import sensitivities
from gadgets.mri.calibration.unmixing import Unmixing, sense_unmixing, unmixing
from gadgets.mri.kspace import KSpace


@dataclass(frozen=True, kw_only=True)
class Sense:
    """min_x ||P F S x - y||^2 + damping ||x||^2 by direct unfolding: one small system for each set of folded points.

    image (*other, 1, z, y, x) from Cartesian k-space (*other, coil, k2, k1, k0) on a regular lattice along k1, k2 or
    both, rectangular or sheared (CAIPIRINHA); 0 outside the support of the maps. The lattice is seen in the mask of
    each element of `other`, which may differ. P takes the samples of the lattice alone: calibration lines between them
    serve for maps, not for the image. Where the matrix is not a multiple of the acceleration, maps are interpolated.
    Lines missing at the borders of k-space (partial Fourier) are taken for zero.

    `damping` is on the scale of the maps, as in cg_sense, which takes any sampling. Without it, points that the coils
    cannot tell apart are refused.
    Pruessmann et al., MRM 1999;42:952. doi:10.1002/(SICI)1522-2594(199911)42:5<952::AID-MRM16>3.0.CO;2-S
    Breuer et al., MRM 2005;53:684. doi:10.1002/mrm.20401 and MRM 2006;55:549. doi:10.1002/mrm.20787
    Maps by ESPIRiT: Uecker et al., MRM 2014;71:990. doi:10.1002/mrm.24751
    """

    damping: float = 0.0

    def calibrate(self, reference: KSpace) -> Tensor:
        """Maps (*other, coil, z, y, x) from the fully sampled centre of `reference`."""
        return sensitivities(reference)

    def __call__(self, kspace: KSpace, calibration: Tensor) -> Tensor:
        """The image. Raises ValueError as `unmixing`, and for samples that are not finite."""
        kspace.require_finite()
        return self.unmixing(kspace, calibration)(kspace)

    def unmixing(self, kspace: KSpace, calibration: Tensor) -> Unmixing:
        """How the image is made of the folded coil images, with its noise and g-factor.

        Raises ValueError for a trajectory, irregular sampling, maps of other shape, and where the coils are too few or
        too alike for the acceleration.
        """
        kspace.require_cartesian("sense")
        kspace.require_maps(calibration)
        maps = calibration.reshape(-1, *calibration.shape[-4:])
        energy = calibration.abs().square().sum(dim=-4, keepdim=True)

        def solve(regular: Lattice, source: int) -> Tensor:
            return sense_unmixing(maps[source], regular, damping=self.damping)

        full = calibration.conj() / torch.where(energy > 0, energy, 1)
        return unmixing(kspace, calibration, solve, full)
