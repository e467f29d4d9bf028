"""A convex regulariser that was trained against itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from gadgets.mri.calibration.intensity import intensity
from gadgets.mri.calibration.sensitivities import sensitivities
from gadgets.mri.kspace import KSpace
from gadgets.mri.models.card import ModelCard
from gadgets.mri.models.trained import trained
from gadgets.mri.networks.functional import slope
from gadgets.mri.networks.input_convex import InputConvex
from gadgets.mri.operators.encoding import encoding
from gadgets.mri.solvers.descent import descent

# Of the last step in training: below the inverse of the curvature of the data term, which is 1 at most.
_STEP = 0.5


class IterativeRegularizationNetwork(nn.Module):
    """What `IterativeRegularization` trains: psi, a network that is convex in its input, and its weight w.

    psi tells least squares from real images: it is a critic in training, and the penalty of the reconstruction.
    Images are first divided by their intensity, so that psi sees the same brightness always.
    """

    def __init__(self, *, width: int = 24, layers: int = 3, strong: float = 1e-3, iterations: int = 20) -> None:
        super().__init__()
        self.psi = InputConvex(width=width, layers=layers, strong=strong)
        self.weight = nn.Parameter(torch.tensor(-2.0))
        self.iterations = iterations

    def forward(
        self,
        kspace: KSpace,
        csm: Tensor,
        *,
        iterations: int | None = None,
        factor: float = 1.0,
        start: Tensor | None = None,
    ) -> Tensor:
        """The image (*other, 1, z, y, x), from S^H F^H y or from `start`."""
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

        with torch.no_grad():
            x = descent(
                gradient,
                rhs if start is None else start / unit,
                iterations=self.iterations if iterations is None else iterations,
                batch_dims=range(len(kspace.other)),
            ).x
        # At the minimum a step changes nothing, and knows in which direction the weight would.
        return (x - _STEP * gradient(x) if torch.is_grad_enabled() else x) * unit


@dataclass(frozen=True, kw_only=True)
class IterativeRegularization:
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

    model: str
    iterations: int = 60
    factor: float = 1.0

    def __post_init__(self) -> None:
        if not self.factor >= 0:
            raise ValueError(f"IterativeRegularization.factor is {self.factor}, expected 0 or more")

    def calibrate(self, reference: KSpace) -> Tensor:
        """Maps (*other, coil, z, y, x) from the fully sampled centre of `reference`."""
        return sensitivities(reference)

    def trained(self, device: torch.device) -> tuple[nn.Module, ModelCard]:
        """The network on a device, and its card; see `gadgets.mri.models.trained`."""
        return trained(self.model, "iterative_regularization", self.network, device)

    def __call__(self, kspace: KSpace, calibration: Tensor) -> Tensor:
        """The image. Raises ValueError for a trajectory, for samples that are not finite, for maps of other shape."""
        kspace.require_cartesian("iterative_regularization")
        kspace.require_finite()
        network, _ = self.trained(kspace.data.device)
        with torch.no_grad():
            image: Tensor = network(kspace, calibration, iterations=self.iterations, factor=self.factor)
        return image * (calibration != 0).any(dim=-4, keepdim=True)
