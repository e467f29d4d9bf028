"""A learned regulariser, minimised to the end."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from gadgets.mri.calibration.intensity import intensity
from gadgets.mri.kspace import KSpace
from gadgets.mri.learned import Learned
from gadgets.mri.networks.functional import Functional, slope
from gadgets.mri.operators.encoding import encoding
from gadgets.mri.solvers._progress import Minimisation
from gadgets.mri.solvers.equilibrium import equilibrium


class EquilibratedZerothOrderNetwork(nn.Module):
    """What `EquilibratedZerothOrder` trains: x = x - step (A^H (A x - y) + w grad R(x)), repeated until it holds.

    R is a network for numbers (`Functional`); w = softplus of what is learned. Images are first divided by their
    intensity, so that R sees the same brightness always.
    """

    def __init__(
        self, *, width: int = 24, layers: int = 3, step: float = 0.5, iterations: int = 100, tolerance: float = 1e-3
    ) -> None:
        super().__init__()
        if not 0 < step < 2:
            raise ValueError(f"step is {step}, expected more than 0 and less than 2")
        self.functional = Functional(width=width, layers=layers)
        self.weight = nn.Parameter(torch.tensor(-3.0))
        self.step, self.iterations, self.tolerance = step, iterations, tolerance

    def forward(
        self, kspace: KSpace, csm: Tensor, *, iterations: int | None = None, tolerance: float | None = None
    ) -> Tensor:
        """The image (*other, 1, z, y, x)."""
        return self.minimum(kspace, csm, iterations=iterations, tolerance=tolerance).x

    def minimum(
        self, kspace: KSpace, csm: Tensor, *, iterations: int | None = None, tolerance: float | None = None
    ) -> Minimisation:
        """The image, and how near to rest descent came."""
        kspace.require_maps(csm)
        operator = encoding(kspace, csm)
        rhs = operator.H(kspace.data)
        unit = intensity(rhs)
        gram, rhs = operator.gram, rhs / unit

        def descend(x: Tensor) -> Tensor:
            return x - self.step * (gram(x) - rhs + softplus(self.weight) * slope(self.functional, x)[1])

        found = equilibrium(
            descend,
            rhs,
            iterations=self.iterations if iterations is None else iterations,
            memory=5,
            tolerance=self.tolerance if tolerance is None else tolerance,
            # The gradient comes to rest as slowly as the image: stopped early, it is too short and points elsewhere.
            backward_iterations=self.iterations,
            batch_dims=range(len(kspace.other)),
        )
        return replace(found, x=found.x * unit)


@dataclass(frozen=True, kw_only=True)
class EquilibratedZerothOrder(Learned):
    """min_x ||P F S x - y||^2 / 2 + w R(x): R itself is the network, and the image is where descent comes to rest.

    image (*other, 1, z, y, x) from Cartesian k-space (*other, coil, k2, k1, k0), plane by plane; 0 outside the support
    of the maps. x <- x - step (S^H F^H (P F S x - y) + w grad R(x)) until the relative change is at most `tolerance`,
    or `iterations` times. Training differentiates the fixed point by the implicit function theorem, so what was trained
    is what runs, however many iterations are done; grad R is taken exactly, the limit of differences of R. R and w are
    those of `model`: the name of a model card, or its path.
    Cui et al., arXiv:2112.09891, IEEE Trans Med Imaging. doi:10.48550/arXiv.2112.09891
    Maps by ESPIRiT: Uecker et al., MRM 2014;71:990. doi:10.1002/mrm.24751
    """

    network: ClassVar[type[nn.Module]] = EquilibratedZerothOrderNetwork

    iterations: int = 200
    tolerance: float = 1e-5

    def reconstruct(self, network: nn.Module, kspace: KSpace, csm: Tensor) -> Tensor:
        """The image, by as many iterations as the settings of the method allow."""
        image: Tensor = network(kspace, csm, iterations=self.iterations, tolerance=self.tolerance)
        return image
