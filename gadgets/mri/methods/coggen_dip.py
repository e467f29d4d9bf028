"""The deep image prior, learned in the order of a curriculum."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from gadgets.mri.fitted import Generated
from gadgets.mri.kspace import KSpace
from gadgets.mri.networks.untrained_unet import UntrainedUnet
from gadgets.mri.quality.noise_level import noise_level
from gadgets.mri.solvers.curriculum import Curriculum
from gadgets.mri.solvers.generator import Weights


@dataclass(frozen=True, kw_only=True)
class CoggenDip(Generated):
    """min_p sum_i w_i(t) |P F S G_p(n) - y|_i^2, G_p an untrained U-Net of fixed noise n, w a curriculum.

    image (*other, 1, z, y, x) from k-space (*other, coil, k2, k1, k0), Cartesian or along a trajectory; 0 outside the
    support of the maps. Planes of a volume share the U-Net, of `levels` and with `width` channels. How it is fitted:
    see `Generated`.

    The weights w are those of `Curriculum`: the centre comes first, and of samples that are noise no more is fitted
    than there is signal in them. Its formulas are ours: of the paper, the abstract was at hand. `noise` is the
    deviation of the noise in the real part of a sample, 1 after noise adjustment; 0 where it is to be estimated from
    the samples farthest out. `hard`: samples are selected, and not weighted.
    CogGen: arXiv:2603.04438. Untrained networks: Ulyanov, Vedaldi and Lempitsky, CVPR 2018:9446.
    doi:10.1109/CVPR.2018.00984
    Maps by ESPIRiT: Uecker et al., MRM 2014;71:990. doi:10.1002/mrm.24751
    """

    rate: float = 0.01
    width: int = 16
    levels: int = 3
    noise: float = 0.0
    hard: bool = False

    def generator(self, matrix: tuple[int, int, int], seed: int) -> nn.Module:
        return UntrainedUnet(matrix, width=self.width, levels=self.levels, seed=seed)

    def weights(self, seen: KSpace, scale: Tensor, iterations: int) -> Weights:
        return Curriculum(seen, self.noise / scale if self.noise else noise_level(seen), iterations, hard=self.hard)
