"""Implicit neural representation, learned in the order of a curriculum."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from gadgets.mri.fitted import Generated
from gadgets.mri.kspace import KSpace
from gadgets.mri.networks.implicit import Encoding, implicit
from gadgets.mri.quality.noise_level import noise_level
from gadgets.mri.solvers.curriculum import Curriculum
from gadgets.mri.solvers.generator import Weights


@dataclass(frozen=True, kw_only=True)
class CoggenInr(Generated):
    """min_p sum_i w_i(t) |P F S G_p - y|_i^2, G_p(r) = MLP_p(features of the place r), w a curriculum.

    image (*other, 1, z, y, x) from k-space (*other, coil, k2, k1, k0), Cartesian or along a trajectory; 0 outside the
    support of the maps. The network has `layers` of `width`. How it is fitted: see `Generated`.

    `encoding`: what the network sees of places, `fourier` features or values learned on a `hash_grid`, whose finest
    cells are voxels; or `siren`, layers of sines, which see places as they are. The frequencies of Fourier
    features deviate by `bandwidth` of the highest that the matrix can show.

    The weights w are those of `Curriculum`: the centre comes first, and of samples that are noise no more is fitted
    than there is signal in them. Its formulas are ours: of the paper, the abstract was at hand. `noise` is the
    deviation of the noise in the real part of a sample, 1 after noise adjustment; 0 where it is to be estimated from
    the samples farthest out. `hard`: samples are selected, and not weighted.
    CogGen: arXiv:2603.04438. Fourier features: Tancik et al., NeurIPS 2020. arXiv:2006.10739
    Hash grids: Mueller et al., ACM Trans Graph 2022;41:102. doi:10.1145/3528223.3530127
    Layers of sines: Sitzmann et al., NeurIPS 2020. arXiv:2006.09661
    Implicit images: Mildenhall et al., ECCV 2020:405. doi:10.1007/978-3-030-58452-8_24
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
    noise: float = 0.0
    hard: bool = False

    def generator(self, matrix: tuple[int, int, int], seed: int) -> nn.Module:
        settings = {"width": self.width, "layers": self.layers, "seed": seed}
        return implicit(self.encoding, matrix, bandwidth=self.bandwidth, **settings)

    def weights(self, seen: KSpace, scale: Tensor, iterations: int) -> Weights:
        return Curriculum(seen, self.noise / scale if self.noise else noise_level(seen), iterations, hard=self.hard)
