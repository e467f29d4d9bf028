"""The U-Net that is a prior by its form alone."""

from __future__ import annotations

import torch
from torch import Tensor, cat, nn
from torch.nn.functional import avg_pool2d, interpolate, leaky_relu

from gadgets.mri.networks.drawn import drawn

# Channels of the noise that goes in, and its deviation.
_INPUT, _DEVIATION = 16, 0.1


class UntrainedUnet(nn.Module):
    """An image (1, z, y, x) complex, as a U-Net makes it of noise that is drawn once; each plane has noise of its own.

    Convolutions of 3 x 3, each followed by normalisation of its channels over the plane; each of `levels` halves the
    resolution and doubles `width`, the channels of the finest; coarse levels come back by bilinear interpolation. Such
    a network learns what images have before it learns noise. All that is random is drawn from `seed`.
    Ulyanov, Vedaldi and Lempitsky, CVPR 2018:9446. doi:10.1109/CVPR.2018.00984
    """

    noise: Tensor

    def __init__(self, matrix: tuple[int, int, int], *, width: int = 16, levels: int = 3, seed: int = 0) -> None:
        super().__init__()
        if width < 1 or levels < 1:
            raise ValueError(f"UntrainedUnet has width {width} and {levels} levels, expected at least 1 of each")
        z, self._height, self._width = matrix
        multiple = 1 << levels
        shape = (z, _INPUT, self._height + -self._height % multiple, self._width + -self._width % multiple)
        generator = torch.Generator().manual_seed(seed)
        self.register_buffer("noise", _DEVIATION * torch.randn(shape, generator=generator))
        widths = [width << min(level, 1) for level in range(levels + 1)]
        self.down = nn.ModuleList(
            _Double(before, after, generator) for before, after in zip([_INPUT, *widths], widths, strict=False)
        )
        self.up = nn.ModuleList(
            _Double(fine + coarse, fine, generator) for fine, coarse in zip(widths, widths[1:], strict=False)
        )
        self.last = drawn(nn.Conv2d, width, 2, 1, generator=generator)

    def forward(self) -> Tensor:
        """The image."""
        planes, passed = self.noise, []
        for block in self.down[:-1]:
            passed.append(block(planes))
            planes = avg_pool2d(passed[-1], 2)
        planes = self.down[-1](planes)
        for block in reversed(self.up):
            planes = interpolate(planes, scale_factor=2, mode="bilinear", align_corners=False)
            planes = block(cat([passed.pop(), planes], dim=1))
        image = self.last(planes)[..., : self._height, : self._width].movedim(1, -1).contiguous()
        return torch.view_as_complex(image)[None]


class _Double(nn.Module):
    """Two convolutions, each normalised and rectified."""

    def __init__(self, before: int, after: int, generator: torch.Generator) -> None:
        super().__init__()
        self.first, self.second = (
            drawn(nn.Conv2d, channels, after, 3, padding=1, generator=generator) for channels in (before, after)
        )
        self.norms = nn.ModuleList(nn.GroupNorm(after, after) for _ in range(2))

    def forward(self, planes: Tensor) -> Tensor:
        for layer, norm in zip((self.first, self.second), self.norms, strict=True):
            planes = leaky_relu(norm(layer(planes)), 0.1)
        return planes
