"""CG-SENSE."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from gadgets.mri.calibration.sensitivities import sensitivities
from gadgets.mri.kspace import KSpace
from gadgets.mri.operators.encoding import encoding
from gadgets.mri.operators.identity import IdentityOp
from gadgets.mri.operators.sensitivity import combine_sets
from gadgets.mri.solvers.cg import cg


@dataclass(frozen=True, kw_only=True)
class CgSense:
    """min_x ||P F S x - y||^2 + damping ||x||^2 by conjugate gradients.

    image (*other, 1, z, y, x) from k-space (*other, coil, k2, k1, k0), Cartesian or along a trajectory; 0 outside the
    support of the maps. `damping` is on the scale of the maps, for which S^H F^H F S = 1 within the support (on a full
    Cartesian grid). `tolerance`: relative residual of the normal equations at which to stop before `iterations`.

    With `sets` of maps, x has as many images and (S x)_c = sum_s csm_sc x_s; the image that is returned has magnitude
    sqrt(sum_s |x_s|^2) and the phase of the first. Two serve where the object is larger than the field of view.

    Samples are not weighted with their density: their noise is the same everywhere, and the image of least squares is
    the one of least noise. Along spokes, the first iterations see little but the centre, and some 20 reach the edge.
    Pruessmann et al., MRM 2001;46:638. doi:10.1002/mrm.1241
    Maps by ESPIRiT: Uecker et al., MRM 2014;71:990. doi:10.1002/mrm.24751
    """

    iterations: int = 20
    damping: float = 1e-3
    tolerance: float = 1e-4
    sets: int = 1

    def __post_init__(self) -> None:
        if self.sets < 1:
            raise ValueError(f"CgSense.sets is {self.sets}, expected 1 or more")

    def calibrate(self, reference: KSpace) -> Tensor:
        """Maps (*other, set * coil, z, y, x) from the fully sampled centre of `reference`."""
        return sensitivities(reference, sets=self.sets)

    def __call__(self, kspace: KSpace, calibration: Tensor) -> Tensor:
        """The image. Raises ValueError for samples that are not finite, for maps of other shape or number of sets."""
        kspace.require_finite()
        operator = encoding(kspace, calibration)
        if operator.sets != self.sets:
            raise ValueError(f"csm holds {operator.sets} sets of maps, CgSense.sets is {self.sets}")
        normal = operator.gram + self.damping * IdentityOp()
        image = cg(
            normal,
            operator.H(kspace.data),
            iterations=self.iterations,
            tolerance=self.tolerance,
            batch_dims=range(len(kspace.other)),
        ).x
        return combine_sets(image)
