"""A convex regulariser that was trained as a critic."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from gadgets.mri.calibration.intensity import intensity
from gadgets.mri.kspace import KSpace
from gadgets.mri.learned import Learned
from gadgets.mri.networks.functional import slope
from gadgets.mri.networks.input_convex import InputConvex
from gadgets.mri.operators.encoding import encoding
from gadgets.mri.solvers._progress import Minimisation
from gadgets.mri.solvers.descent import descent

# Of the last step in training: below the inverse of the curvature of the data term, which is 1 at most.
_STEP = 0.5


class IterativeRegularizationNetwork(nn.Module):
    """What `IterativeRegularization` trains: psi, a network that is convex in its input, and its weight w.

    psi tells least squares from real images: it is a critic in training, and the penalty of the reconstruction.
    Images are first divided by their intensity, so that psi sees the same brightness always.
    """

    def __init__(self, *, width: int = 24, layers: int = 3, strong: float = 1e-3, iterations: int = 40) -> None:
        super().__init__()
        self.psi = InputConvex(width=width, layers=layers, strong=strong)
        self.weight = nn.Parameter(torch.tensor(-5.0))
        self.iterations = iterations

    def forward(self, kspace: KSpace, csm: Tensor, *, iterations: int | None = None, factor: float = 1.0) -> Tensor:
        """The image (*other, 1, z, y, x)."""
        return self.minimum(kspace, csm, iterations=iterations, factor=factor).x

    def minimum(
        self,
        kspace: KSpace,
        csm: Tensor,
        *,
        iterations: int | None = None,
        factor: float = 1.0,
        start: Tensor | None = None,
        watched: bool = False,
    ) -> Minimisation:
        """The image, from S^H F^H y or from `start`, and where `watched`, the objective on the way to it.

        Its values are those of ||P F S x - y||^2 / 2 + factor w psi(x), all images of `kspace` together, in units of
        their intensity and less ||y||^2 / 2.
        """
        kspace.require_maps(csm)
        operator = encoding(kspace, csm)
        gram, rhs = operator.gram, operator.H(kspace.data)
        unit = intensity(rhs)
        rhs = rhs / unit
        # psi is a mean over points, the data term a sum.
        points = rhs.shape[-3] * rhs.shape[-2] * rhs.shape[-1]
        weight = factor * points * softplus(self.weight)

        def gradient(x: Tensor) -> Tensor:
            return gram(x) - rhs + weight * slope(self.psi, x)[1]

        def objective(x: Tensor) -> Tensor:
            return (x.conj() * (gram(x) / 2 - rhs)).real.sum() + weight * self.psi(x).sum()

        with torch.no_grad():
            found = descent(
                gradient,
                rhs if start is None else start / unit,
                iterations=self.iterations if iterations is None else iterations,
                batch_dims=range(len(kspace.other)),
                objective=objective if watched else None,
            )
        x = found.x
        # At the minimum a step changes nothing, and knows in which direction the weight would.
        return replace(found, x=(x - _STEP * gradient(x) if torch.is_grad_enabled() else x) * unit)


@dataclass(frozen=True, kw_only=True)
class IterativeRegularization(Learned):
    """min_x ||P F S x - y||^2 / 2 + factor w psi(x), psi an input-convex network that was trained as a critic.

    image (*other, 1, z, y, x) from Cartesian k-space (*other, coil, k2, k1, k0), plane by plane; 0 outside the support
    of the maps. psi is low on real images and high on what least squares make of undersampled scans, with slopes of
    at most 1: about the distance to real images. As it is convex, and strongly so, the minimum is one, and
    accelerated descent comes to it from anywhere; it moves little when the data do, and to a solution without noise as
    noise and `factor` go to 0. psi and w are those of `model`: the name of a model card, or its path.
    Cui et al., arXiv:2211.13452. doi:10.48550/arXiv.2211.13452
    Maps by ESPIRiT: Uecker et al., MRM 2014;71:990. doi:10.1002/mrm.24751
    """

    network: ClassVar[type[nn.Module]] = IterativeRegularizationNetwork

    iterations: int = 60
    factor: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.factor >= 0:
            raise ValueError(f"IterativeRegularization.factor is {self.factor}, expected 0 or more")

    def reconstruct(self, network: nn.Module, kspace: KSpace, csm: Tensor) -> Tensor:
        """The image, by as many iterations as the settings of the method allow."""
        image: Tensor = network(kspace, csm, iterations=self.iterations, factor=self.factor)
        return image
