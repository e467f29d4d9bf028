"""Series of images as a background that hardly changes and what moves before it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gadgets.mri.calibration.intensity import intensity
from gadgets.mri.calibration.sensitivities import sensitivities
from gadgets.mri.calibration.time_average import time_average
from gadgets.mri.kspace import KSpace
from gadgets.mri.operators.encoding import encoding
from gadgets.mri.operators.fourier import FourierOp
from gadgets.mri.priors.l1 import L1
from gadgets.mri.priors.low_rank import LowRank
from gadgets.mri.priors.separate import Separate
from gadgets.mri.priors.transformed import Transformed
from gadgets.mri.solvers.cg import cg
from gadgets.mri.solvers.fista import fista

# Iterations of least squares that give the first images: aliasing is less, noise not yet amplified.
_LEAST_SQUARES = 5


@dataclass(frozen=True, kw_only=True)
class LowRankPlusSparse:
    """min_LS ||P F S (L + S) - y||^2 / 2 + low_rank s ||C L||_* (sqrt(T) + sqrt(M)) + sparse s ||F_t S||_1 by FISTA.

    images L + S (*other, 1, z, y, x) from Cartesian k-space (*other, coil, k2, k1, k0), the last axis of `other` being
    time; 0 outside the support of the maps. C L is the matrix of T frames by the M points of the support, F_t the
    orthonormal Fourier transform along time. s is the intensity of the object (mean of |x| weighted with |x|) in first
    images by least squares. White noise of deviation r has no singular value above r (sqrt(T) + sqrt(M)) and
    coefficients of size r: both weights are the share of the object's intensity up to which a part is taken for noise
    and aliasing. Their ratio decides what is background: equal ones are near that of principal component pursuit,
    1 to 1 / sqrt(M), of which the default asks twice before something moves. The published iteration is the proximal
    gradient of this cost; here it is accelerated.
    Otazo, Candes and Sodickson, MRM 2015;73:1125. doi:10.1002/mrm.25240
    Accelerated: Lin and Fessler, IEEE Trans Comput Imaging 2019;5:17. doi:10.1109/TCI.2018.2882089
    Maps by ESPIRiT: Uecker et al., MRM 2014;71:990. doi:10.1002/mrm.24751
    """

    low_rank: float = 0.01
    sparse: float = 0.02
    iterations: int = 60

    def __post_init__(self) -> None:
        for name in ("low_rank", "sparse"):
            if not getattr(self, name) > 0:
                raise ValueError(f"LowRankPlusSparse.{name} is {getattr(self, name)}, expected more than 0")

    def calibrate(self, reference: KSpace) -> Tensor:
        """Maps (*other, coil, z, y, x), 1 along time, from the fully sampled centre of all frames together."""
        reference.require_cartesian("low_rank_plus_sparse")
        reference.require_finite()
        return sensitivities(time_average(reference))

    def __call__(self, kspace: KSpace, calibration: Tensor) -> Tensor:
        """The images. Raises ValueError for a trajectory, a single frame, not finite samples, maps of other shape."""
        return self.components(kspace, calibration).sum(dim=0)

    def components(self, kspace: KSpace, calibration: Tensor) -> Tensor:
        """Background and what moves (2, *other, 1, z, y, x), whose sum are the images."""
        kspace.require_cartesian("low_rank_plus_sparse")
        kspace.require_finite()
        kspace.require_series("low_rank_plus_sparse")
        kspace.require_maps(calibration)
        operator = encoding(kspace, calibration)
        gram, rhs = operator.gram, operator.H(kspace.data)
        series = len(kspace.other) - 1
        start = cg(gram, rhs, iterations=_LEAST_SQUARES, batch_dims=range(series)).x
        support = (calibration != 0).any(dim=-4, keepdim=True)
        points = support.sum(dim=(-3, -2, -1), keepdim=True).amax(dim=-5, keepdim=True)
        brightness = intensity(start).mean(dim=-5, keepdim=True)
        background = LowRank(weight=self.low_rank * brightness * (kspace.other[-1] ** 0.5 + points.sqrt()))
        moving = Transformed(operator=FourierOp((-5,)), prior=L1(weight=self.sparse * brightness))
        parts = fista(
            lambda parts: (gram(parts.sum(dim=0)) - rhs).expand_as(parts),
            Separate(priors=(background, moving)),
            torch.stack([start, torch.zeros_like(start)]),
            # Both parts are seen by the same operator: ||[A A]||^2 = 2 ||A||^2.
            step=1 / (2 * operator.bound.amax(dim=-5, keepdim=True))[None],
            iterations=self.iterations,
            batch_dims=range(1, 1 + series),
        ).x
        return parts * support
