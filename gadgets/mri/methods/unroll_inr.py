"""An image as a function of place, learned from the one scan that it explains, step by step with the data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.functional import relu

from gadgets.mri.calibration.zero_shot import Alternation, Samples
from gadgets.mri.fitted import ZeroShot
from gadgets.mri.networks.field import places
from gadgets.mri.networks.fourier_features import FourierFeatures
from gadgets.mri.priors.total_variation import TotalVariation


class _Field(nn.Module):
    """z(r) = M(g(r), x(r)) at each point r of the support of csm, 0 elsewhere; g Fourier features, M a perceptron."""

    def __init__(self, csm: Tensor, *, bandwidth: float, width: int, seed: int) -> None:
        super().__init__()
        self._inside = (csm != 0).any(dim=-4).reshape(-1).nonzero()[:, 0]
        z, y, x = csm.shape[-3:]
        features = FourierFeatures([bandwidth] * 3, features=width, seed=seed)
        # Neither changes: what is learned is all that the state holds.
        self.register_buffer("_features", features(places((z, y, x))[self._inside.cpu()]), persistent=False)
        self.place = nn.Linear(features.channels, width)
        self.value = nn.Linear(2, width, bias=False)
        self.hidden = nn.ModuleList(nn.Linear(width, width) for _ in range(2))
        self.last = nn.Linear(width, 2)

    def at(self) -> Tensor:
        """What the first layer makes of places, (point, width)."""
        return self.place(self._features)

    def forward(self, x: Tensor, at: Tensor) -> Tensor:
        """z of the shape of x, (1, z, y, x)."""
        flat = x.reshape(-1)
        h = relu(at + self.value(torch.view_as_real(flat[self._inside])))
        for layer in self.hidden:
            h = relu(layer(h))
        found = torch.view_as_complex(self.last(h).contiguous())
        return torch.zeros_like(flat).index_copy(0, self._inside, found).reshape(x.shape)


class _Unrolled(Alternation):
    """Alternations in which places stay where they are."""

    network: _Field

    def regulariser(self) -> Callable[[Tensor], Tensor]:
        return partial(self.network, at=self.network.at())


@dataclass(frozen=True, kw_only=True)
class UnrollInr(ZeroShot):
    """min_(M, w) e_h(x_k) + 2 e(z_k) + 2 smoothness mean |grad z_k|, x_k by k steps z = M(g, x),
    x = argmin ||P_s F S x - P_s y||^2 + w ||x - z||^2.

    image (*other, 1, z, y, x) from k-space (*other, coil, k2, k1, k0), Cartesian or along a trajectory; 0 outside the
    support of the maps. M is a perceptron that gives z at a point r from x(r) and from g(r), waves of random
    frequencies, whose deviation is `bandwidth` per field of view: an image that is smooth but for what the data add to
    it. Nothing but the scan teaches it: what it makes of some of the samples, P_s, has to predict others, by their
    relative error e_h, in one of ten splits, of whole readouts where a Cartesian scan has enough of them; e is that of
    all. The published way from x to z is not known to us; this is one that works. A fifth of the samples take no part:
    the network that predicts them best is kept, and sees all samples then. See `calibration.zero_shot`. Without unit: z
    is in units of the object's intensity. Each volume has a network of its own, drawn from `seed`. From a `start`,
    `warm_iterations` serve.
    Xu et al., arXiv:2510.06611. doi:10.48550/arXiv.2510.06611
    Features: Tancik et al., NeurIPS 2020. arXiv:2006.10739
    Maps by ESPIRiT: Uecker et al., MRM 2014;71:990. doi:10.1002/mrm.24751
    """

    rate: float = 6e-3
    width: int = 64
    bandwidth: float = 2.0
    smoothness: float = 0.2

    def alternation(self, csm: Tensor) -> Alternation:
        return _Unrolled(_Field(csm, bandwidth=self.bandwidth, width=self.width, seed=self.seed), self.unrolled)

    def penalty(self, x: Tensor, z: Tensor, training: Samples) -> Tensor:
        """What z itself has to explain, and how rough it may be."""
        roughness = TotalVariation(weight=self.smoothness / z.numel(), axes=(-3, -2, -1)).value(z)
        return 2 * training.error(z) + 2 * roughness
