"""Partial Fourier by projections onto convex sets."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gadgets.mri.calibration.low_resolution import low_resolution
from gadgets.mri.calibration.phase import low_resolution_phase, partial_fourier
from gadgets.mri.calibration.walsh import walsh
from gadgets.mri.fft import fft, ifft
from gadgets.mri.kspace import KSpace
from gadgets.mri.operators.sensitivity import SensitivityOp
from gadgets.mri.solvers.deadline import require_time


@dataclass(frozen=True, kw_only=True)
class PocsPartialFourier:
    """By turns x_c = |x_c| p_c and P F x_c = y_c, p_c the phase of coil image c at low resolution; then combination.

    image (*other, 1, z, y, x) from Cartesian k-space (*other, coil, k2, k1, k0) of which one side is missing in part,
    along one axis or several. Samples that were acquired are kept as they are, and with them the phase at the
    resolution that they have: it need not be that of the centre. Coil images are combined with adaptive maps.
    Few `iterations` suffice; many follow the errors of the phase where there is little signal.
    Haacke et al., J Magn Reson 1991;92:126. doi:10.1016/0022-2364(91)90253-P
    """

    iterations: int = 5

    def calibrate(self, reference: KSpace) -> Tensor:
        """Maps (*other, coil, z, y, x) from the fully sampled centre of `reference`, for all points of the image."""
        reference.require_cartesian("pocs_partial_fourier")
        reference.require_finite()
        csm, _ = walsh(low_resolution(reference))
        return csm

    def __call__(self, kspace: KSpace, calibration: Tensor) -> Tensor:
        """The image.

        Raises ValueError for a trajectory, samples that are not finite, maps of other shape, samples that are missing
        within the part acquired, and as many missing on one side as on the other.
        """
        kspace.require_cartesian("pocs_partial_fourier")
        kspace.require_finite()
        kspace.require_maps(calibration)
        partial = partial_fourier(kspace, "pocs_partial_fourier")
        images = ifft(kspace.data, (-3, -2, -1))
        if partial.axes:
            phase = low_resolution_phase(kspace.data, partial)
            axes = [axis - 3 for axis in partial.axes]
            # Along complete axes the data stay in image space: there they are acquired or not as in k-space.
            rest = [axis for axis in (-3, -2, -1) if axis not in axes]
            acquired = ifft(kspace.data, rest)
            for _ in range(self.iterations):
                require_time()
                images = ifft(torch.where(kspace.mask, acquired, fft(images.abs() * phase, axes)), axes)
        return SensitivityOp(calibration).H(images)
