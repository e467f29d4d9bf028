"""Adaptive combination of coil images."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from gadgets.mri.calibration.low_resolution import low_resolution
from gadgets.mri.calibration.walsh import walsh
from gadgets.mri.fft import ifft
from gadgets.mri.kspace import KSpace
from gadgets.mri.operators.sensitivity import SensitivityOp


@dataclass(frozen=True, kw_only=True)
class AdaptiveCombine:
    """x = sum_c conj(csm_c) F^-1 y_c, with maps from the local covariance of the channels.

    image (*other, 1, z, y, x) from k-space (*other, coil, k2, k1, k0); samples that were not acquired count as zero.
    For white noise this is the combination of highest signal to noise, and its noise level is that of one channel.
    `window`: points per axis over which the covariance is taken, odd.
    Walsh et al., MRM 2000;43:682. doi:10.1002/(sici)1522-2594(200005)43:5<682::aid-mrm10>3.0.co;2-g
    """

    window: int = 5

    def calibrate(self, reference: KSpace) -> Tensor:
        """Maps (*other, coil, z, y, x) from the fully sampled centre of `reference`, for all points of the image."""
        reference.require_cartesian("adaptive_combine")
        reference.require_finite()
        csm, _ = walsh(low_resolution(reference), window=self.window)
        return csm

    def __call__(self, kspace: KSpace, calibration: Tensor) -> Tensor:
        """The image. Raises ValueError for a trajectory, for samples that are not finite, for maps of other shape."""
        kspace.require_cartesian("adaptive_combine")
        kspace.require_finite()
        kspace.require_maps(calibration)
        return SensitivityOp(calibration).H(ifft(kspace.data, (-3, -2, -1)))
