"""A convolutional decoder of a fixed random map."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import batch_norm, interpolate, relu

# Points per axis of the random map.
_SEED = 3


class ConvDecoder(nn.Module):
    """Real planes (channels, *matrix) of nothing but parameters: an image that has yet to be fitted to anything.

    A random map of 3 x 3 points and `width` channels, which stays as it was drawn, goes through `layers` of nearest
    neighbour upsampling, 3 x 3 convolution, rectifier and batch normalisation, its sides growing by the same factor
    each time up to `matrix` (y, x), and at last through a 1 x 1 convolution whose first parameters are multiplied by
    `gain`. What such a decoder can do before it can do anything is smooth.
    Darestani and Heckel, IEEE Trans Comput Imaging 2021;7:724. doi:10.1109/TCI.2021.3097596
    """

    seed: Tensor

    def __init__(
        self, channels: int, matrix: Sequence[int], *, width: int = 64, layers: int = 5, gain: float = 1.0
    ) -> None:
        super().__init__()
        if width < 1 or layers < 1:
            raise ValueError(f"ConvDecoder has width {width} and {layers} layers, expected at least 1 of each")
        self.register_buffer("seed", torch.rand(1, width, _SEED, _SEED))
        self.sizes = [
            [max(1, round(_SEED * (length / _SEED) ** (layer / layers))) for length in matrix]
            for layer in range(1, layers + 1)
        ]
        self.layers = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in range(layers))
        self.scales = nn.ParameterList(nn.Parameter(torch.ones(width)) for _ in range(layers))
        self.shifts = nn.ParameterList(nn.Parameter(torch.zeros(width)) for _ in range(layers))
        self.last = nn.Conv2d(width, channels, 1)
        with torch.no_grad():
            for parameter in self.last.parameters():
                parameter.mul_(gain)

    def forward(self) -> Tensor:
        """The planes (channels, y, x)."""
        x = self.seed
        for size, layer, scale, shift in zip(self.sizes, self.layers, self.scales, self.shifts, strict=True):
            x = relu(layer(interpolate(x, size=size, mode="nearest")))
            # By the mean and the deviation of this one map: there is no other.
            x = batch_norm(x, None, None, scale, shift, training=True)
        return self.last(x)[0]
