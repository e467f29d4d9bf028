"""Images as functions of place, by layers of sines."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gadgets.mri.networks.drawn import drawn
from gadgets.mri.networks.field import places


class Siren(nn.Module):
    """An image (1, z, y, x) complex whose value at a place p is W_n h_n + b_n, h_(i+1) = sin(w (W_i h_i + b_i)).

    Places run from -1 to 1 along each axis; real and imaginary part are the two values. `layers` of `width` sines with
    the `frequency` w, which says how fine the details are. Weights begin uniformly distributed, those of the first
    layer within 1 / 3 and others within sqrt(6 / width) / w, so that all layers begin alike. All that is random is
    drawn from `seed`.
    Sitzmann et al., NeurIPS 2020. arXiv:2006.09661
    """

    places: Tensor

    def __init__(
        self,
        matrix: tuple[int, int, int],
        *,
        width: int = 128,
        layers: int = 3,
        frequency: float = 30.0,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if width < 1 or layers < 1:
            raise ValueError(f"Siren has width {width} and {layers} layers, expected at least 1 of each")
        self._matrix, self._frequency = matrix, frequency
        self.register_buffer("places", 2 * places(matrix) - 1, persistent=False)
        generator = torch.Generator().manual_seed(seed)
        widths = [3, *[width] * layers, 2]
        made = [
            drawn(nn.Linear, before, after, generator=generator)
            for before, after in zip(widths, widths[1:], strict=False)
        ]
        with torch.no_grad():
            for index, layer in enumerate(made):
                bound = (6 / width) ** 0.5 / frequency if index else 1 / 3
                layer.weight.uniform_(-bound, bound, generator=generator)
        self.layers = nn.ModuleList(made)

    def forward(self) -> Tensor:
        """The image."""
        h = self.places
        for layer in self.layers[:-1]:
            h = torch.sin(self._frequency * layer(h))
        return torch.view_as_complex(self.layers[-1](h)).reshape(1, *self._matrix)
