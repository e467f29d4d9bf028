"""NLINV."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from gadgets.mri.calibration.nlinv import nlinv
from gadgets.mri.kspace import KSpace


@dataclass(frozen=True, kw_only=True)
class Nlinv:
    """min_{m, a} ||P F (m * W a) - y||^2 + alpha (||m - 1||^2 + ||a||^2), alpha -> 0. No calibration lines needed.

    image (*other, 1, z, y, x) from Cartesian k-space (*other, coil, k2, k1, k0): m times the root sum of squares of the
    maps W a, which are smooth. Both are found together by the iteratively regularised Gauss-Newton method; alpha begins
    at `regularisation` and is multiplied by `reduction` in each of `iterations`, which decide how far the data are
    followed, noise and all. `smoothness`: where the weight of the maps' frequencies falls, in cycles per field of view.
    Something must tell an image from its aliases: a few lines about the centre of k-space, or irregular sampling.
    Uecker, Hohage, Block and Frahm, MRM 2008;60:674. doi:10.1002/mrm.21691
    Ying and Sheng, MRM 2007;57:1196. doi:10.1002/mrm.21245
    """

    iterations: int = 12
    regularisation: float = 1.0
    reduction: float = 0.5
    smoothness: float = 10.0

    def calibrate(self, reference: KSpace) -> None:
        """Nothing to calibrate: returns None."""

    def __call__(self, kspace: KSpace, calibration: Tensor | None = None) -> Tensor:
        """The image.

        Raises ValueError for a trajectory, for samples that are not finite, for every so many lines alone, and for
        settings out of range.
        """
        _, image = nlinv(
            kspace,
            iterations=self.iterations,
            regularisation=self.regularisation,
            reduction=self.reduction,
            smoothness=self.smoothness,
        )
        return image
