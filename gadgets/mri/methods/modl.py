"""Least squares with a learned regulariser."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from gadgets.mri.calibration.residual_noise import residual_noise
from gadgets.mri.calibration.sparse_image import sparse_image
from gadgets.mri.kspace import KSpace
from gadgets.mri.learned import Learned
from gadgets.mri.networks.residual_cnn import ResidualCnn
from gadgets.mri.networks.shrinkage import Shrinkage
from gadgets.mri.networks.unet import Unet
from gadgets.mri.operators.encoding import encoding
from gadgets.mri.solvers.unrolled import proximal_step, unrolled

_STARTS = ("adjoint", "sparse")


class ModlNetwork(nn.Module):
    """What `Modl` trains: `iterations` of z = N(x), x = argmin ||A x - y||^2 + w ||x - z||^2.

    They begin where `start` says: at x = A^H y, as published ("adjoint"), or at the image that is sparsest in wavelets
    ("sparse", as `espirit_l1`, by `start_iterations`): where coils can unfold, no network needs to learn how.

    N is a residual network of `layers`, with `levels` a U-Net, or with `patches` shrinkage of the coefficients of
    patches of these sizes. The latter is told s / sqrt(w), s the noise of the samples as far as the first image leaves
    them unexplained: the noise that N has to take away where x is the most likely image. `shared`: one network in all
    iterations, as published; else each has its own. w = softplus of what is learned, one for each network, and begins
    at `weight`: the published 0.05 leaves the data the last word, which undoes what a better start has gained. With
    `first_weight`, each iteration has a w of its own, which begins there in the first one and rises in equal ratios:
    what is coarse comes first, and takes aliasing with it that no small step can move.
    `checkpointed`: an iteration of training is computed anew for its gradient, which takes a third more time and keeps
    no more than one iteration in memory.
    """

    def __init__(
        self,
        *,
        iterations: int = 5,
        width: int = 32,
        layers: int = 5,
        levels: int = 0,
        shared: bool = True,
        cg_iterations: int = 6,
        start: str = "adjoint",
        start_iterations: int = 10,
        patches: Sequence[int] = (),
        weight: float = 0.05,
        first_weight: float = 0.0,
        checkpointed: bool = True,
    ) -> None:
        super().__init__()
        if iterations < 1 or cg_iterations < 1:
            raise ValueError(f"iterations is {iterations} and cg_iterations {cg_iterations}, expected 1 or more")
        if start not in _STARTS:
            raise ValueError(f"start is {start!r}; there are: {', '.join(_STARTS)}")
        if start_iterations < 1:
            raise ValueError(f"start_iterations is {start_iterations}, expected 1 or more")
        if not weight > 0:
            raise ValueError(f"weight is {weight}, expected more than 0")
        if first_weight < 0:
            raise ValueError(
                f"first_weight is {first_weight}, expected more than 0, or 0 for {weight} in all iterations"
            )
        if levels and patches:
            raise ValueError(f"levels is {levels} and patches {list(patches)}, expected no levels or no patches")
        made = 1 if shared else iterations
        build: Callable[[], nn.Module]
        if patches:
            build = partial(Shrinkage, patches=patches, width=width)
        elif levels:
            build = partial(Unet, width=width, levels=levels)
        else:
            build = partial(ResidualCnn, width=width, layers=layers)
        self.networks = nn.ModuleList(build() for _ in range(made))
        ends = math.log10(first_weight or weight), math.log10(weight)
        begun = torch.logspace(*ends, iterations if first_weight else made, dtype=torch.float64)
        self.weights = nn.Parameter((begun + torch.log(-torch.expm1(-begun))).float())
        self.iterations, self.cg_iterations = iterations, cg_iterations
        self.start, self.start_iterations = start, start_iterations
        self.told, self.checkpointed = bool(patches), checkpointed

    @property
    def denoiser(self) -> nn.Module | None:
        """N, where it is one that is told the noise: what it is for is then known without any scan."""
        return self.networks[0] if self.told and len(self.networks) == 1 else None

    def forward(self, kspace: KSpace, csm: Tensor, *, start_iterations: int | None = None) -> Tensor:
        """The image (*other, 1, z, y, x). start_iterations: other than those of the training."""
        kspace.require_maps(csm)
        operator = encoding(kspace, csm)
        gram, rhs = operator.gram, operator.H(kspace.data)
        start = rhs
        if self.start == "sparse":
            iterations = self.start_iterations if start_iterations is None else start_iterations
            start = sparse_image(operator, rhs, iterations=iterations)
        volumes = range(len(kspace.other))
        chosen = [k % len(self.networks) for k in range(self.iterations)]
        networks: list[Callable[..., Tensor]] = [self.networks[index] for index in chosen]
        weights = softplus(self.weights)[[k % len(self.weights) for k in range(self.iterations)]]
        if self.told:
            noise = residual_noise(operator(start) - kspace.data, kspace.mask)
            networks = [
                partial(network, level=noise / weight.sqrt()) for network, weight in zip(networks, weights, strict=True)
            ]
        solve = partial(proximal_step, gram, rhs, iterations=self.cg_iterations, batch_dims=volumes)
        return unrolled(
            networks,
            lambda x, z, k: solve(z, weights[k]),
            start,
            checkpointed=self.checkpointed and self.training,
        )


@dataclass(frozen=True, kw_only=True)
class Modl(Learned):
    """min_x ||P F S x - y||^2 + w ||x - N(x)||^2, N a trained network, by a fixed number of alternations.

    image (*other, 1, z, y, x) from Cartesian k-space (*other, coil, k2, k1, k0), plane by plane; 0 outside the support
    of the maps. Each alternation denoises, z = N(x), and then solves (S^H F^H P F S + w) x = S^H F^H y + w z by
    conjugate gradients. N, w and how often are those of `model`: the name of a model card, or its path; the default is
    for brains. The network is homogeneous, so the method scales with its input.
    `start_iterations`: of the image that alternations begin at, where the model has one; 0 for as many as in training.
    More cost time, and let lines that coils can hardly tell apart, such as every sixth, come to an end.
    Aggarwal, Mani and Jacob, IEEE Trans Med Imaging 2019;38:394. doi:10.1109/TMI.2018.2865356
    Maps by ESPIRiT: Uecker et al., MRM 2014;71:990. doi:10.1002/mrm.24751
    """

    network: ClassVar[type[nn.Module]] = ModlNetwork
    precisions: ClassVar[tuple[str, ...]] = ("fp32", "bf16")

    model: str = "brain_modl"
    start_iterations: int = 100

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.start_iterations < 0:
            raise ValueError(f"Modl.start_iterations is {self.start_iterations}, expected 0 or more")

    def reconstruct(self, network: nn.Module, kspace: KSpace, csm: Tensor) -> Tensor:
        """The image, from a start of as many iterations as the settings of the method say."""
        image: Tensor = network(kspace, csm, start_iterations=self.start_iterations or None)
        return image
