"""The phantom on a grid, seen by known coils at random places of k-space, with noise."""

from __future__ import annotations

import torch
from torch import Tensor

from gadgets.mri.fft import fft, ifft
from gadgets.mri.kspace import KSpace
from gadgets.mri.phantom.scan import cartesian, coil_maps, truth


def random_sampling(size: int, acceleration: float, *, seed: int = 0, centre: int = 12) -> Tensor:
    """Mask (1, 1, size, size): the centre, and elsewhere points at random, so many that the acceleration is that."""
    generator = torch.Generator().manual_seed(seed)
    chance = torch.rand(size, size, generator=generator)
    middle = slice(size // 2 - centre // 2, size // 2 + (centre + 1) // 2)
    chance[middle, middle] = -1
    return (chance < chance.flatten().sort().values[round(size**2 / acceleration)])[None, None]


def phantom_scan(size: int, mask: Tensor, *, coils: int = 8, noise: float = 0.01) -> tuple[KSpace, Tensor, Tensor]:
    """K-space, maps and the image, all of the same grid; `noise` is relative to the brightest point."""
    maps = torch.from_numpy(coil_maps((size, size, 1), coils=coils))
    csm = maps / maps.norm(dim=0)
    image = torch.from_numpy(truth((size, size, 1)))[None]
    generator = torch.Generator().manual_seed(1)
    data = fft(csm * image, (-3, -2, -1))
    data = data + noise * image.abs().max() * torch.randn(data.shape, dtype=data.dtype, generator=generator)
    return KSpace(data=data * mask, mask=mask), csm, image


def folded(noise: float = 0.003, coils: int = 8, size: int = 96, field: int = 64) -> tuple[Tensor, Tensor]:
    """K-space of the phantom in two thirds of its field of view along y, and the root sum of squares of its coils."""
    whole = ifft(torch.from_numpy(cartesian((size, size, 1), coils=coils)), (-3, -2, -1))
    images = torch.zeros(coils, 1, field, size, dtype=whole.dtype)
    for y in range(size):
        images[..., (y - size // 2 + field // 2) % field, :] += whole[..., y, :]
    torch.manual_seed(0)
    data = fft(images, (-3, -2, -1)) + noise * images.abs().max() * torch.randn_like(images)
    return data, images.norm(dim=0, keepdim=True)
