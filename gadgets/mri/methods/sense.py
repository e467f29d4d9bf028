"""SENSE."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from gadgets.mri.calibration.sampling import per_lattice
from gadgets.mri.calibration.sensitivities import sensitivities
from gadgets.mri.calibration.unmixing import sense_unmixing
from gadgets.mri.fft import ifft
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
        """The image.

        Raises ValueError for a trajectory, irregular sampling, samples that are not finite, maps of other shape, and
        where the coils are too few or too alike for the acceleration.
        """
        kspace.require_cartesian("sense")
        kspace.require_finite()
        kspace.require_maps(calibration)
        data = kspace.data.reshape(-1, *kspace.data.shape[-4:])
        images = data.new_empty((len(data), 1, *kspace.matrix))
        known: dict[tuple[int, ...], Tensor] = {}
        maps = calibration.reshape(-1, *calibration.shape[-4:])
        for index, source, mask, regular in per_lattice(kspace, calibration.shape[:-4]):
            key = source, *regular.key
            if key not in known:
                known[key] = sense_unmixing(maps[source], regular, damping=self.damping)
            folded = ifft(data[index] * regular.lines(mask), (-3, -2, -1))
            images[index] = (known[key] * folded).sum(dim=0, keepdim=True)
        return images.reshape(*kspace.other, 1, *kspace.matrix)
