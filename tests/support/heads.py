"""Random heads, seen by a few coils at random lines with noise: what methods that fit one scan are measured with."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from gadgets.mri.fft import fft
from gadgets.mri.kspace import KSpace
from gadgets.mri.methods.cg_sense import CgSense
from gadgets.mri.phantom.coils import sensitivity
from gadgets.mri.phantom.sampling import random_lines
from gadgets.mri.quality.errors import psnr
from gadgets.mri.training.anatomy import anatomy
from gadgets.mri.training.phase import smooth_phase


def head(seed: int, *, size: int = 64) -> Tensor:
    """An image (1, 1, y, x) of ellipses with texture and smooth phase, of magnitude at most 1."""
    random = np.random.default_rng(seed)
    image = anatomy((size, size), random, organs=12) * smooth_phase((size, size), random)
    return torch.from_numpy(image)[None, None].to(torch.complex64)


def lines(seed: int, *, size: int = 64, acceleration: float = 4, centre: int = 6) -> Tensor:
    """Mask (1, 1, k1, k0) of a share of the lines: those of the centre, and others at random, denser towards it."""
    k1 = np.arange(size)
    keep = (np.abs(k1 - size // 2 + 0.5) < centre / 2)[None]
    n = round(size / acceleration) - int(keep.sum())
    chosen = random_lines(keep, np.ones_like(keep), n, np.random.default_rng(seed))
    return torch.from_numpy(chosen[:, :, None]).unsqueeze(0).expand(1, 1, size, size)


def scan(
    seed: int, *, noise: float, size: int = 64, coils: int = 4, acceleration: float = 4
) -> tuple[KSpace, Tensor, Tensor]:
    """K-space (coil, 1, k1, k0), maps and image; `noise` is the deviation of the complex noise, E|n|^2 = noise^2."""
    place = (np.arange(size) - size // 2) / size
    maps = torch.from_numpy(sensitivity(place, place, coils)).to(torch.complex64)[:, None]
    csm, image = maps / maps.norm(dim=0), head(seed, size=size)
    mask = lines(seed, size=size, acceleration=acceleration)
    generator = torch.Generator().manual_seed(seed)
    white = torch.view_as_complex(torch.randn(*csm.shape, 2, generator=generator))
    return KSpace(data=(fft(csm * image, (-3, -2, -1)) + noise / 2**0.5 * white) * mask, mask=mask), csm, image


def least_squares(kspace: KSpace, csm: Tensor, truth: Tensor) -> Tensor:
    """Of images by least squares, the better of two: with noise as it comes, and lowered."""
    images = [CgSense(damping=damping)(kspace, csm) for damping in (1e-3, 1e-2)]
    return max(images, key=lambda image: decibels(image, truth))


def decibels(image: Tensor, truth: Tensor) -> float:
    """PSNR of magnitudes."""
    return psnr(image.abs().numpy(), truth.abs().numpy())
