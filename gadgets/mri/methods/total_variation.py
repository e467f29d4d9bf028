"""SENSE with total variation."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from gadgets.mri.calibration.intensity import intensity
from gadgets.mri.calibration.sensitivities import sensitivities
from gadgets.mri.kspace import KSpace
from gadgets.mri.operators.encoding import encoding
from gadgets.mri.operators.finite_difference import FiniteDifferenceOp
from gadgets.mri.priors.joint_l1 import JointL1
from gadgets.mri.solvers.cg import cg
from gadgets.mri.solvers.pdhg import pdhg

# Iterations of least squares that give the first image: aliasing is mostly gone, noise not yet amplified.
_LEAST_SQUARES = 5
# How far the first image is from the last one, as a share of the object's intensity, about.
_DISTANCE = 0.1


@dataclass(frozen=True, kw_only=True)
class TotalVariation:
    """min_x ||P F S x - y||^2 / 2 + regularisation s sum_r |grad x(r)| by primal-dual hybrid gradients.

    image (*other, 1, z, y, x) from Cartesian k-space (*other, coil, k2, k1, k0); 0 outside the support of the maps.
    |grad x(r)| is the length of the differences along all spatial axes (isotropic), which end at the border of the
    image. s is the intensity of the object (mean of |x| weighted with |x|) in a first image by least squares, so that
    `regularisation` has no unit: the contrast of a region falls by that share of the object's intensity times its
    circumference over its area (in points), so the default of 0.002 lowers that of a disc of 2 points radius by 0.002.
    Block, Uecker and Frahm, MRM 2007;57:1086. doi:10.1002/mrm.21236
    Maps by ESPIRiT: Uecker et al., MRM 2014;71:990. doi:10.1002/mrm.24751
    """

    regularisation: float = 0.002
    iterations: int = 100

    def __post_init__(self) -> None:
        if not self.regularisation > 0:
            raise ValueError(
                f"TotalVariation.regularisation is {self.regularisation}, expected more than 0 (cg_sense has none)"
            )

    def calibrate(self, reference: KSpace) -> Tensor:
        """Maps (*other, coil, z, y, x) from the fully sampled centre of `reference`."""
        return sensitivities(reference)

    def __call__(self, kspace: KSpace, calibration: Tensor) -> Tensor:
        """The image. Raises ValueError for a trajectory, for samples that are not finite, for maps of other shape."""
        kspace.require_cartesian("total_variation")
        kspace.require_finite()
        kspace.require_maps(calibration)
        operator = encoding(kspace, calibration)
        gram, rhs = operator.gram, operator.H(kspace.data)
        volumes = range(len(kspace.other))
        start = cg(gram, rhs, iterations=_LEAST_SQUARES, batch_dims=volumes).x
        axes = [axis for axis in (-3, -2, -1) if kspace.matrix[axis] > 1] or [-1]
        image = pdhg(
            FiniteDifferenceOp(axes),
            JointL1(axes=(0,), weight=self.regularisation * intensity(start)),
            start,
            norm=2 * len(axes) ** 0.5,
            # Steps are balanced where they are as the ways to go: the dual variable's is the weight.
            dual_step=self.regularisation / _DISTANCE,
            iterations=self.iterations,
            gradient=lambda x: gram(x) - rhs,
            lipschitz=operator.bound,
            batch_dims=volumes,
        ).x
        return image * (calibration != 0).any(dim=-4, keepdim=True)
