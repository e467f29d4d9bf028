"""Places as waves of many frequencies, which networks learn details from."""

from __future__ import annotations

from collections.abc import Sequence
from math import pi

import torch
from torch import Tensor, nn


class FourierFeatures(nn.Module):
    """(sin 2 pi B p, cos 2 pi B p) of places p (point, axis), with frequencies B drawn once from a normal distribution.

    deviations: of the frequencies along each axis, in waves per unit of p; 0 for an axis of no detail. The values
    (point, channels) of places near to each other are alike, the more the smaller the deviations are.
    Tancik et al., NeurIPS 2020. arXiv:2006.10739
    """

    frequencies: Tensor

    def __init__(self, deviations: Sequence[float], *, features: int = 128, seed: int = 0) -> None:
        super().__init__()
        if features < 1:
            raise ValueError(f"features is {features}, expected 1 or more")
        self.channels = 2 * features
        generator = torch.Generator().manual_seed(seed)
        drawn = torch.randn(len(deviations), features, generator=generator)
        self.register_buffer("frequencies", torch.tensor(list(deviations), dtype=torch.float32)[:, None] * drawn)

    def forward(self, places: Tensor) -> Tensor:
        """Values (point, channels)."""
        phase = 2 * pi * (places @ self.frequencies)
        return torch.cat([phase.sin(), phase.cos()], dim=-1)
