"""Series of images whose patches change in few ways."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from gadgets.mri.calibration.intensity import intensity
from gadgets.mri.calibration.sensitivities import sensitivities
from gadgets.mri.calibration.time_average import time_average
from gadgets.mri.kspace import KSpace
from gadgets.mri.operators.encoding import encoding
from gadgets.mri.priors.locally_low_rank import LocallyLowRank as LowRankPatches
from gadgets.mri.solvers.cg import cg
from gadgets.mri.solvers.fista import fista

# Iterations of least squares that give the first images: aliasing is less, noise not yet amplified.
_LEAST_SQUARES = 5


@dataclass(frozen=True, kw_only=True)
class LocallyLowRank:
    """min_x ||P F S x - y||^2 / 2 + regularisation s sum_b ||C_b x||_* (sqrt(T) + sqrt(M)) by FISTA.

    images (*other, 1, z, y, x) from Cartesian k-space (*other, coil, k2, k1, k0), the last axis of `other` being time;
    0 outside the support of the maps. C_b x is the matrix of T frames by the M points of patch b, cubes of `patch`
    points per axis that tile the volume; each iteration moves them by another random shift, the same ones in each call.
    s is the intensity of the object (mean of |x| weighted with |x|) in first images by least squares. White noise of
    deviation r has no singular value above r (sqrt(T) + sqrt(M)), so `regularisation` is the share of the object's
    intensity up to which what is not common to frames is taken for noise and aliasing. Frames should be sampled at
    different places of k-space.
    Trzasko and Manduca, ISMRM 2011;19:4371; Zhang, Pauly and Levesque, MRM 2015;73:655. doi:10.1002/mrm.25161
    Maps by ESPIRiT: Uecker et al., MRM 2014;71:990. doi:10.1002/mrm.24751
    """

    regularisation: float = 0.01
    patch: int = 8
    iterations: int = 40

    def __post_init__(self) -> None:
        if not self.regularisation >= 0:
            raise ValueError(f"LocallyLowRank.regularisation is {self.regularisation}, expected 0 or more")

    def calibrate(self, reference: KSpace) -> Tensor:
        """Maps (*other, coil, z, y, x), 1 along time, from the fully sampled centre of all frames together."""
        reference.require_cartesian("locally_low_rank")
        reference.require_finite()
        return sensitivities(time_average(reference))

    def __call__(self, kspace: KSpace, calibration: Tensor) -> Tensor:
        """The images. Raises ValueError for a trajectory, a single frame, not finite samples, maps of other shape."""
        kspace.require_cartesian("locally_low_rank")
        kspace.require_finite()
        kspace.require_series("locally_low_rank")
        kspace.require_maps(calibration)
        operator = encoding(kspace, calibration)
        gram, rhs = operator.gram, operator.H(kspace.data)
        series = range(len(kspace.other) - 1)
        start = cg(gram, rhs, iterations=_LEAST_SQUARES, batch_dims=series).x
        size = [min(self.patch, length) for length in kspace.matrix]
        noise = math.sqrt(kspace.other[-1]) + math.sqrt(math.prod(size))
        patches = LowRankPatches(
            patch=size,
            weight=self.regularisation * noise * intensity(start).mean(dim=-5, keepdim=True),
            generator=torch.Generator().manual_seed(0),
        )
        images = fista(
            lambda x: gram(x) - rhs,
            patches,
            start,
            step=1 / operator.bound.amax(dim=-5, keepdim=True),
            iterations=self.iterations,
            # Between two shifts the prior is another one, and where momentum points says nothing.
            restart=False,
            batch_dims=series,
        ).x
        return images * (calibration != 0).any(dim=-4, keepdim=True)
