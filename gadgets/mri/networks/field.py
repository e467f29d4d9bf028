"""Images as functions of place."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn

from gadgets.mri.networks.drawn import drawn


class Field(nn.Module):
    """An image (1, z, y, x) complex whose value at a place p is MLP(encoding(p)): real and imaginary part.

    encoding: places (point, 3), components (z, y, x) in fields of view from 0 to 1, to values (point, channels).
    `layers` of `width` rectified units follow. All that is random is drawn from `seed`.
    Mildenhall et al., ECCV 2020:405. doi:10.1007/978-3-030-58452-8_24
    """

    places: Tensor

    def __init__(
        self, encoding: nn.Module, matrix: tuple[int, int, int], *, width: int = 128, layers: int = 2, seed: int = 0
    ) -> None:
        super().__init__()
        if width < 1 or layers < 1:
            raise ValueError(f"Field has width {width} and {layers} layers, expected at least 1 of each")
        self.encoding, self._matrix = encoding, matrix
        at = places(matrix)
        self.register_buffer("places", at, persistent=False)
        linear = partial(drawn, nn.Linear, generator=torch.Generator().manual_seed(seed))
        widths = [encoding(at[:1]).shape[-1], *[width] * layers]
        hidden = [
            part
            for before, after in zip(widths, widths[1:], strict=False)
            for part in (linear(before, after), nn.ReLU())
        ]
        self.layers = nn.Sequential(*hidden, linear(width, 2))

    def forward(self) -> Tensor:
        """The image."""
        return torch.view_as_complex(self.layers(self.encoding(self.places))).reshape(1, *self._matrix)


def places(matrix: tuple[int, int, int]) -> Tensor:
    """Places (point, 3) of the voxels of a matrix (z, y, x), in fields of view from 0 to less than 1."""
    axes = [torch.arange(length) / length for length in matrix]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1).reshape(-1, 3)
