"""Root sum of squares."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from gadgets.mri.fft import ifft
from gadgets.mri.kspace import KSpace


@dataclass(frozen=True, kw_only=True)
class Rss:
    """x = sqrt(sum_c |F^-1 y_c|^2), needing no sensitivities; samples that were not acquired count as zero.

    image (*other, 1, z, y, x), real and not negative but of complex dtype, from k-space (*other, coil, k2, k1, k0).
    Roemer et al., MRM 1990;16:192. doi:10.1002/mrm.1910160203
    """

    def calibrate(self, reference: KSpace) -> None:
        """Nothing to calibrate: returns None."""

    def __call__(self, kspace: KSpace, calibration: Tensor | None = None) -> Tensor:
        """The image. Raises ValueError for a trajectory and for samples that are not finite."""
        kspace.require_cartesian("rss")
        kspace.require_finite()
        images = ifft(kspace.data, (-3, -2, -1))
        return images.abs().square().sum(dim=-4, keepdim=True).sqrt().to(images.dtype)
