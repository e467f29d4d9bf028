"""A network that gives a number for an image, and the slope of that number."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from gadgets.mri.networks.planes import to_planes

# Below this, in units of the image, features have a smooth bottom and no edge.
_ROUNDING = 1e-2


class Functional(nn.Module):
    """R(x) = sum sqrt(h^2 + e^2) - e over points and channels, h = C_n s(... s(C_1 x)), s softplus, C convolutions.

    complex images (*other, 1, z, y, x) to real numbers (*other, 1, 1, 1, 1), one for each volume: smooth, not negative,
    and in general not convex.
    """

    def __init__(self, *, width: int = 24, layers: int = 3) -> None:
        super().__init__()
        if width < 1 or layers < 1:
            raise ValueError(f"Functional has width {width} and {layers} layers, expected at least 1 of each")
        channels = [2, *[width] * layers]
        self.layers = nn.ModuleList(
            nn.Conv2d(before, after, 3, padding=1) for before, after in zip(channels, channels[1:], strict=False)
        )

    def forward(self, x: Tensor) -> Tensor:
        """R(x)."""
        planes = to_planes(x)
        for layer in self.layers[:-1]:
            planes = softplus(layer(planes), beta=10)
        h = self.layers[-1](planes)
        cost = ((h.square() + _ROUNDING**2).sqrt() - _ROUNDING).sum(dim=(-3, -2, -1))
        return cost.reshape(*x.shape[:-4], -1).sum(dim=-1)[..., None, None, None, None]


def slope(functional: Callable[[Tensor], Tensor], x: Tensor) -> tuple[Tensor, Tensor]:
    """(R(x), grad R(x)), R giving a number for each volume; differentiable again where gradients are enabled."""
    graph = torch.is_grad_enabled()
    with torch.enable_grad():
        at = x if x.requires_grad else x.detach().requires_grad_()
        value = functional(at)
        (gradient,) = torch.autograd.grad(value.sum(), at, create_graph=graph)
    return (value, gradient) if graph else (value.detach(), gradient)
