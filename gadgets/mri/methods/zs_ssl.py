"""A network that learns from the one scan that it reconstructs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from gadgets.mri.calibration.zero_shot import Alternation, Samples
from gadgets.mri.fitted import ZeroShot
from gadgets.mri.networks.residual_cnn import ResidualCnn


@dataclass(frozen=True, kw_only=True)
class ZsSsl(ZeroShot):
    """min_(N, w) ||P_h (F S x_k - y)||, x_k by k steps x = argmin ||P_s F S x - P_s y||^2 + w ||x - N(x)||^2.

    image (*other, 1, z, y, x) from k-space (*other, coil, k2, k1, k0), Cartesian or along a trajectory, plane by plane;
    0 outside the support of the maps. N is a residual network of `layers` convolutions of `width` channels. Nothing but
    the scan teaches it: what it makes of some of the samples, P_s, has to predict others, P_h, half in the norm and
    half in the sum of magnitudes, in one of ten splits: whole lines where a Cartesian scan has enough of them, and
    points, as in the paper, where not. A fifth of the samples are in none of the splits. Networks that predict them
    about as well as the best one see all samples then, and the image is the mean of theirs, and of two that learn so
    side by side, from other splits: see `calibration.zero_shot`.
    Cartesian k-space of which no sample says anything has a cost: ||P_u F S x_k||^2 / ||y||^2 is added.
    Each volume has networks of its own, drawn from `seed`. From a `start`, `warm_iterations` serve.
    Yaman, Hosseini and Akcakaya, ICLR 2022. doi:10.48550/arXiv.2102.07737
    Maps by ESPIRiT: Uecker et al., MRM 2014;71:990. doi:10.1002/mrm.24751
    """

    # Its iterates jump about, and what they make up where nothing was sampled is another thing in each: a single one is
    # up to 1.6 dB below the best there was, and one network up to 0.8. docs/claims_zero_shot.md
    tolerance: ClassVar[float] = 0.1
    members: ClassVar[int] = 2

    iterations: int = 300
    warm_iterations: int = 40
    rate: float = 3e-3
    width: int = 24
    layers: int = 4

    def alternation(self, csm: Tensor) -> Alternation:
        return Alternation(ResidualCnn(width=self.width, layers=self.layers), self.unrolled)

    def penalty(self, x: Tensor, z: Tensor, training: Samples) -> Tensor:
        """What x has in those parts of k-space of which no sample says anything."""
        return training.beyond(x)
