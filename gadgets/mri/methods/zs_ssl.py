"""A network that learns from the one scan that it reconstructs."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from gadgets.mri.calibration.sensitivities import sensitivities
from gadgets.mri.calibration.zero_shot import Alternation, reconstruct
from gadgets.mri.kspace import KSpace
from gadgets.mri.networks.residual_cnn import ResidualCnn
from gadgets.mri.solvers.fit import State


@dataclass(frozen=True, kw_only=True)
class ZsSsl:
    """min_(N, w) ||P_h (F S x_k - y)||, x_k by k steps x = argmin ||P_s F S x - P_s y||^2 + w ||x - N(x)||^2.

    image (*other, 1, z, y, x) from k-space (*other, coil, k2, k1, k0), Cartesian or along a trajectory, plane by plane;
    0 outside the support of the maps. N is a residual network of `layers` convolutions of `width` channels. Nothing but
    the scan teaches it: what it makes of some of the samples, P_s, has to predict others, P_h, half in the norm and
    half in the sum of magnitudes, with another split in each of `iterations`. A fifth of the samples are in none of the
    splits; the network that predicts them best is kept, and sees all samples then. See `calibration.zero_shot`.
    Each volume has a network of its own, drawn from `seed`. From a `start`, `warm_iterations` serve.
    Yaman, Hosseini and Akcakaya, ICLR 2022. doi:10.48550/arXiv.2102.07737
    Maps by ESPIRiT: Uecker et al., MRM 2014;71:990. doi:10.1002/mrm.24751
    """

    iterations: int = 200
    rate: float = 3e-3
    unrolled: int = 5
    width: int = 24
    layers: int = 4
    seed: int = 0
    warm_iterations: int = 70

    def calibrate(self, reference: KSpace) -> Tensor:
        """Maps (*other, coil, z, y, x) from the fully sampled centre of `reference`."""
        return sensitivities(reference)

    def __call__(self, kspace: KSpace, calibration: Tensor) -> Tensor:
        """The image. Raises ValueError for samples that are not finite, and for maps of other shape."""
        return self.fitted(kspace, calibration)[0]

    def fitted(self, kspace: KSpace, calibration: Tensor, *, start: State | None = None) -> tuple[Tensor, State]:
        """The image, and what the network of the last volume learned, from which others may start.

        Raises as `__call__` does, and ValueError for a `start` of a network of another size.
        """
        return reconstruct(
            lambda _: Alternation(ResidualCnn(width=self.width, layers=self.layers), self.unrolled),
            kspace,
            calibration,
            iterations=self.iterations if start is None else self.warm_iterations,
            rate=self.rate,
            seed=self.seed,
            start=start,
        )
