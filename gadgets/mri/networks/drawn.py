"""Layers whose first numbers come from a generator of their own."""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import nn

Layer = TypeVar("Layer", nn.Linear, nn.Conv2d)


def drawn(kind: type[Layer], *sizes: int, generator: torch.Generator, **named: int) -> Layer:
    """A layer that begins as torch's own do: uniformly within 1 / sqrt(n), n the numbers that make one of its outputs.

    Numbers are those of `generator`. Torch's own come from one for the whole process, which other threads draw from.
    """
    layer = nn.utils.skip_init(kind, *sizes, **named)
    bound = layer.weight[0].numel() ** -0.5
    with torch.no_grad():
        for parameter in (layer.weight, layer.bias):
            parameter.uniform_(-bound, bound, generator=generator)
    return layer
