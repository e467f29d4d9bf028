"""Gridding."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from gadgets.mri.calibration.density import density
from gadgets.mri.calibration.low_resolution import low_resolution
from gadgets.mri.calibration.walsh import walsh
from gadgets.mri.kspace import KSpace
from gadgets.mri.operators.non_uniform_fourier import NonUniformFourierOp
from gadgets.mri.operators.sensitivity import SensitivityOp


@dataclass(frozen=True, kw_only=True)
class Gridding:
    """x = sum_c conj(csm_c) F^H W y_c, W the area of k-space that each sample stands for.

    image (*other, 1, z, y, x) from k-space (*other, coil, k2, k1, k0) along a trajectory, which should be dense
    everywhere: what is missing between its samples shows as streaks. W is the k-space's own `dcf` or, without, that of
    spokes in closed form, else found by iteration (Pipe and Menon, MRM 1999;41:179).
    Maps are those of the adaptive combination; `window`: points per axis that they look at, odd.
    Jackson et al., IEEE Trans Med Imaging 1991;10:473. doi:10.1109/42.97598
    Maps: Walsh et al., MRM 2000;43:682. doi:10.1002/(sici)1522-2594(200005)43:5<682::aid-mrm10>3.0.co;2-g
    """

    window: int = 5

    def calibrate(self, reference: KSpace) -> Tensor:
        """Maps (*other, coil, z, y, x) from the densely sampled centre of `reference`, for all points of the image."""
        reference.require_trajectory("gridding")
        reference.require_finite()
        csm, _ = walsh(low_resolution(reference), window=self.window)
        return csm

    def __call__(self, kspace: KSpace, calibration: Tensor) -> Tensor:
        """The image. Raises ValueError for Cartesian k-space, samples that are not finite, maps of other shape."""
        kspace.require_trajectory("gridding")
        assert kspace.trajectory is not None
        kspace.require_finite()
        kspace.require_maps(calibration)
        weighted = density(kspace).to(kspace.data.real.dtype) * kspace.data
        images = NonUniformFourierOp(kspace.trajectory, kspace.image_matrix).adjoint(weighted)
        return SensitivityOp(calibration).adjoint(images)
