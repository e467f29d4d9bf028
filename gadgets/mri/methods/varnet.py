"""Gradient descent with learned steps."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import torch
from torch import Tensor, nn

from gadgets.mri.kspace import KSpace
from gadgets.mri.learned import Learned
from gadgets.mri.networks.unet import Unet
from gadgets.mri.operators.encoding import encoding
from gadgets.mri.solvers.unrolled import gradient_step, unrolled


class VarnetNetwork(nn.Module):
    """What `Varnet` trains: `iterations` steps x = N_k(x) - t_k A^H (A x - y), N_k U-Nets, from x = A^H y."""

    def __init__(self, *, iterations: int = 8, width: int = 16, levels: int = 2) -> None:
        super().__init__()
        if iterations < 1:
            raise ValueError(f"iterations is {iterations}, expected 1 or more")
        self.networks = nn.ModuleList(Unet(width=width, levels=levels) for _ in range(iterations))
        self.steps = nn.Parameter(torch.ones(iterations))

    def forward(self, kspace: KSpace, csm: Tensor) -> Tensor:
        """The image (*other, 1, z, y, x)."""
        kspace.require_maps(csm)
        operator = encoding(kspace, csm)
        step = partial(gradient_step, operator.gram, rhs := operator.H(kspace.data))
        return unrolled(list(self.networks), lambda x, z, k: step(x, z, self.steps[k]), rhs, checkpointed=self.training)


@dataclass(frozen=True, kw_only=True)
class Varnet(Learned):
    """x_(k+1) = N_k(x_k) - t_k S^H F^H (P F S x_k - y), a variational network: N_k and t_k are trained.

    image (*other, 1, z, y, x) from Cartesian k-space (*other, coil, k2, k1, k0), plane by plane; 0 outside the support
    of the maps. As many steps as `model` has: the name of a model card, or its path. The networks are homogeneous, so
    the method scales with its input.
    Hammernik et al., MRM 2018;79:3055. doi:10.1002/mrm.26977
    With U-Nets: Sriram et al., MICCAI 2020:64. doi:10.1007/978-3-030-59713-9_7
    Maps by ESPIRiT: Uecker et al., MRM 2014;71:990. doi:10.1002/mrm.24751
    """

    network: ClassVar[type[nn.Module]] = VarnetNetwork
    precisions: ClassVar[tuple[str, ...]] = ("fp32", "bf16")
