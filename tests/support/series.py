"""Series of images that move, and their k-space, other lines of which are sampled in each frame."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from gadgets.mri.fft import fft
from gadgets.mri.kspace import KSpace
from gadgets.mri.phantom.scan import coil_maps


def beating_disc(size: int = 48, frames: int = 16) -> Tensor:
    """A disc whose radius goes up and down before a body that rests, (time, 1, 1, y, x)."""
    y, x = _places(size)
    radius = 6 + 2 * torch.sin(2 * torch.pi * torch.arange(frames) / frames)[:, None, None]
    body = ((x / 20) ** 2 + (y / 22) ** 2 < 1).float() * (0.5 + 0.01 * x)
    return _images(body + 0.4 * _disc(radius, x, y))


def perfusion(size: int = 96, frames: int = 32) -> tuple[Tensor, Tensor]:
    """A contrast agent that comes to three parts of a body at three times, and the motion before it: a disc that beats
    every fourth frame, less its mean. Both (time, 1, 1, y, x); the image is their sum."""
    y, x = (64 / size * place for place in _places(size))
    t = torch.arange(frames)[:, None, None] * 32 / frames

    def arrival(start: float, width: float) -> Tensor:
        since = (t - start).clamp_min(0) / width
        return since**2 * torch.exp(2 - 2 * since)

    body = ((x / 26) ** 2 + (y / 29) ** 2 < 1).float()
    left = (((x + 14) / 9) ** 2 + (y / 18) ** 2 < 1).float()
    right = (((x - 15) / 8) ** 2 + ((y + 3) / 16) ** 2 < 1).float()
    disc = 0.4 * _disc(7 + 1.5 * torch.sin(2 * torch.pi * t / 4), x, y)
    background = body * (0.3 + 0.003 * x + 0.3 * arrival(10, 8)) + 0.5 * left * arrival(4, 5)
    background = background + 0.5 * right * arrival(8, 6) + disc.mean(dim=0)
    return _images(background), _images(disc - disc.mean(dim=0))


def heart(data_dir: Path) -> Tensor:
    """The middle of a cardiac cine with a smooth phase, (time, 1, 1, y, x), 1 at the brightest point."""
    frames = torch.from_numpy(np.load(data_dir / "images" / "cardiac_cine_magnitude.npy"))
    middle = frames[:, 24:120, 24:120]
    phase = torch.exp(1j * torch.linspace(-1, 1, 96)[:, None] + 0.5j * torch.linspace(-1, 1, 96) ** 2)
    return _images(middle / middle.max() * phase)


def dense_centre(frames: int, size: int, acceleration: float, centre: int = 2) -> Tensor:
    """Mask (time, 1, 1, y, x) of lines at random, denser in the middle; the `centre` lines there are in all frames."""
    generator = torch.Generator().manual_seed(0)
    density = 1 / (1 + (torch.arange(size) - size // 2).abs() / 8)
    mask = torch.zeros(frames, 1, 1, size, size, dtype=torch.bool)
    for frame in mask:
        frame[:, :, torch.multinomial(density, round(size / acceleration) - centre, generator=generator)] = True
        frame[:, :, size // 2 - centre // 2 : size // 2 + (centre + 1) // 2] = True
    return mask


def in_turns(frames: int, size: int, acceleration: float, centre: int = 4) -> Tensor:
    """Mask (time, 1, 1, y, x): all frames have the `centre` lines, the others are visited in turns, in random order."""
    generator = torch.Generator().manual_seed(0)
    middle = range(size // 2 - centre // 2, size // 2 + (centre + 1) // 2)
    others = torch.tensor([line for line in range(size) if line not in middle])
    each = round(size / acceleration) - centre
    turns = -(-frames * each // len(others))
    order = torch.cat([others[torch.randperm(len(others), generator=generator)] for _ in range(turns)])
    mask = torch.zeros(frames, 1, 1, size, size, dtype=torch.bool)
    mask[:, :, :, list(middle)] = True
    for frame, lines in zip(mask, order.split(each), strict=False):
        frame[:, :, lines] = True
    return mask


def sampled(images: Tensor, mask: Tensor, *, coils: int = 8, noise: float = 0.01) -> KSpace:
    """K-space (time, coil, 1, y, x) of images where the mask is, with noise."""
    size = images.shape[-1]
    generator = torch.Generator().manual_seed(0)
    maps = torch.from_numpy(coil_maps((size, size, 1), coils=coils))
    data = fft(maps / maps.norm(dim=0) * images, (-3, -2, -1))
    data = data + noise * torch.randn(data.shape, dtype=data.dtype, generator=generator)
    return KSpace(data=data * mask, mask=mask)


def _places(size: int) -> tuple[Tensor, Tensor]:
    """Places (y, x) from the middle."""
    y, x = torch.meshgrid(*[torch.arange(size) - size // 2] * 2, indexing="ij")
    return y, x


def _disc(radius: Tensor, x: Tensor, y: Tensor) -> Tensor:
    return torch.sigmoid(2 * (radius - (x**2 + y**2).sqrt()))


def _images(frames: Tensor) -> Tensor:
    return frames[:, None, None].to(torch.complex64)
