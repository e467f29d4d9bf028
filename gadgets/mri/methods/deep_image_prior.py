"""The deep image prior."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from gadgets.mri.fitted import Generated
from gadgets.mri.networks.untrained_unet import UntrainedUnet


@dataclass(frozen=True, kw_only=True)
class DeepImagePrior(Generated):
    """min_p ||P F S G_p(n) - y||^2, G_p an untrained U-Net of fixed noise n, ended before it fits the noise of y.

    image (*other, 1, z, y, x) from k-space (*other, coil, k2, k1, k0), Cartesian or along a trajectory; 0 outside the
    support of the maps. Planes of a volume share the U-Net, of `levels` and with `width` channels. How it is fitted:
    see `Generated`.
    Ulyanov, Vedaldi and Lempitsky, CVPR 2018:9446. doi:10.1109/CVPR.2018.00984
    Maps by ESPIRiT: Uecker et al., MRM 2014;71:990. doi:10.1002/mrm.24751
    """

    rate: float = 0.01
    width: int = 16
    levels: int = 3

    def generator(self, matrix: tuple[int, int, int], seed: int) -> nn.Module:
        return UntrainedUnet(matrix, width=self.width, levels=self.levels, seed=seed)
