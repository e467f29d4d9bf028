"""Implicit neural representation."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from gadgets.mri.fitted import Generated
from gadgets.mri.networks.implicit import Encoding, implicit


@dataclass(frozen=True, kw_only=True)
class Inr(Generated):
    """min_p ||P F S G_p - y||^2, G_p(r) = MLP_p(features of the place r), ended before it fits the noise of y.

    image (*other, 1, z, y, x) from k-space (*other, coil, k2, k1, k0), Cartesian or along a trajectory; 0 outside the
    support of the maps. The network has `layers` of `width`. How it is fitted: see `Generated`.

    `encoding`: what the network sees of places, `fourier` features or values learned on a `hash_grid`, whose finest
    cells are voxels; or `siren`, layers of sines, which see places as they are. The frequencies of Fourier
    features deviate by `bandwidth` of the highest that the matrix can show: the larger, the finer the details, and the
    sooner noise.
    Fourier features: Tancik et al., NeurIPS 2020. arXiv:2006.10739
    Hash grids: Mueller et al., ACM Trans Graph 2022;41:102. doi:10.1145/3528223.3530127
    Layers of sines: Sitzmann et al., NeurIPS 2020. arXiv:2006.09661
    Mildenhall et al., ECCV 2020:405. doi:10.1007/978-3-030-58452-8_24
    Maps by ESPIRiT: Uecker et al., MRM 2014;71:990. doi:10.1002/mrm.24751
    """

    # Networks differ in what they make up where nothing was sampled, and by more than one of them learns in the second
    # half of twice as many iterations: docs/claims_fitted.md
    iterations: int = 750
    warm_iterations: int = 200
    members: int = 2
    rate: float = 0.004
    width: int = 128
    layers: int = 2
    encoding: Encoding = "fourier"
    bandwidth: float = 0.25

    def generator(self, matrix: tuple[int, int, int], seed: int) -> nn.Module:
        settings = {"width": self.width, "layers": self.layers, "seed": seed}
        return implicit(self.encoding, matrix, bandwidth=self.bandwidth, **settings)
