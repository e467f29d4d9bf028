"""Golden-angle radial sparse parallel imaging."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gadgets.mri.calibration.density import density
from gadgets.mri.calibration.intensity import intensity
from gadgets.mri.calibration.sensitivities import sensitivities
from gadgets.mri.calibration.time_average import time_average
from gadgets.mri.kspace import KSpace
from gadgets.mri.operators.finite_difference import FiniteDifferenceOp
from gadgets.mri.operators.non_uniform_encoding import NonUniformEncodingOp
from gadgets.mri.priors.l1 import L1
from gadgets.mri.solvers.cg import cg
from gadgets.mri.solvers.pdhg import pdhg
from gadgets.mri.solvers.power_iteration import power_iteration

# Iterations of least squares that give the image of all frames together, which is where all of them begin.
_LEAST_SQUARES = 10
# How far frames are from that image, as a share of the object's intensity, about.
_DISTANCE = 0.1
# Iterations for the norm of a frame's convolution, and how much it may be above what they come to.
_POWER = 15
_MARGIN = 1.1
# The axis of time in (*other, time, coil, z, y, x).
_TIME = -5


@dataclass(frozen=True, kw_only=True)
class Grasp:
    """min_x ||W^(1/2) (P F S x - y)||^2 / 2 + regularisation s ||D x||_1, D the differences of successive frames, by
    primal-dual hybrid gradients.

    images (*other, 1, z, y, x) from k-space (*other, coil, k2, k1, k0) along a trajectory, the last axis of `other`
    being time; 0 outside the support of the maps. W is the area of k-space that each sample of a frame stands for
    (`density`): without it, changes of fine structures would come last. s is the intensity of the object (mean of |x|
    weighted with |x|) in the image of all frames together, so that `regularisation` has no unit: a course in time loses
    its noise and streaks up to about that share of the object's intensity, and a peak twice as much over its duration
    in frames. Frames should have spokes at different angles, best by the golden ratio.
    Feng et al., MRM 2014;72:707. doi:10.1002/mrm.24980
    Maps by ESPIRiT: Uecker et al., MRM 2014;71:990. doi:10.1002/mrm.24751
    """

    regularisation: float = 0.02
    iterations: int = 30

    def __post_init__(self) -> None:
        if not self.regularisation > 0:
            raise ValueError(
                f"Grasp.regularisation is {self.regularisation}, expected more than 0 (cg_sense takes each frame alone)"
            )

    def calibrate(self, reference: KSpace) -> Tensor:
        """Maps (*other, coil, z, y, x), 1 along time, from the centre of all frames together."""
        reference.require_trajectory("grasp")
        return sensitivities(time_average(reference))

    def __call__(self, kspace: KSpace, calibration: Tensor) -> Tensor:
        """The images. Raises ValueError for Cartesian k-space, a single frame, not finite samples, other maps."""
        kspace.require_trajectory("grasp")
        kspace.require_finite()
        if not kspace.other or kspace.other[-1] < 2:
            raise ValueError(
                f"grasp reconstructs series of images from how little they change, but k-space of shape "
                f"{tuple(kspace.data.shape)} has a single frame on the axis before the coils"
            )
        kspace.require_maps(calibration)
        together, whole = _operator(time_average(kspace), calibration)
        start = cg(together.gram, together.H(whole), iterations=_LEAST_SQUARES, batch_dims=range(len(kspace.other))).x
        operator, data = _operator(kspace, calibration)
        gram, rhs = operator.gram, operator.H(data)
        series = range(len(kspace.other) - 1)
        images = pdhg(
            FiniteDifferenceOp((_TIME,)),
            L1(weight=self.regularisation * intensity(start)),
            start.expand_as(rhs).contiguous(),
            norm=2,
            # Steps are balanced where they are as the ways to go: the dual variable's is the weight.
            dual_step=self.regularisation / _DISTANCE,
            iterations=self.iterations,
            gradient=lambda x: gram(x) - rhs,
            lipschitz=_norm(operator).amax(dim=_TIME, keepdim=True),
            batch_dims=series,
        ).x
        return images * (calibration != 0).any(dim=-4, keepdim=True)


def _norm(operator: NonUniformEncodingOp) -> Tensor:
    """||A||^2 per frame, which is less than half of its bound where spokes are few, and iterations as many as it is."""
    circular = operator.convolution.bound
    shape = (*circular.shape[:-3], *operator.convolution.matrix)
    start = torch.randn(shape, dtype=torch.complex64, generator=torch.Generator().manual_seed(0)).to(circular.device)
    found = power_iteration(operator.convolution, start, iterations=_POWER, batch_dims=range(len(shape) - 4)).eigenvalue
    return operator.bound * (_MARGIN * found / circular).clamp_max(1)


def _operator(kspace: KSpace, csm: Tensor) -> tuple[NonUniformEncodingOp, Tensor]:
    """W^(1/2) P F S and W^(1/2) y."""
    assert kspace.trajectory is not None
    weights = density(kspace).to(kspace.data.real.dtype).sqrt()
    return NonUniformEncodingOp(csm, weights, kspace.trajectory), torch.mul(weights, kspace.data)
