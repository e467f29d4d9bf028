"""What becomes of noise: of that of samples, and of that of images."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from gadgets.mri.kspace import KSpace
from gadgets.mri.training.losses import magnitude, psnr
from gadgets.mri.training.simulation import Example

# Deviations of the noise of samples and of images, relative to the brightest point of an image. Where a network is in
# turns with data, the noise of its image is that of the samples by the root of the weight, or several times as much.
_SAMPLES, _IMAGES = (1e-3, 3e-2), (2e-3, 3e-1)
# Of the gain, what costs nothing: a bound of 1 is kept on scans that no training has seen.
_FREE = 0.75


def noise_gain(network: Callable[[KSpace, Tensor], Tensor], example: Example, image: Tensor, seed: int) -> Tensor:
    """max(||x(y + e) - x(y)|| / ||e|| - 0.75, 0), e white noise at the samples y; the mean over the scans.

    image: x(y) (*other, 1, z, y, x). The deviation of e is log-uniform, from 0.001 to 0.03 of the brightest point of
    the image. Least squares have a gain of R g / sqrt(coils), g the geometry factor. A method with a gain below 1 is
    stable: images are no further apart than their data.
    That equilibrium networks are made stable by what is added to their loss: Bai, Koltun and Kolter, ICML 2021.
    arXiv:2106.14342
    """
    axes = (-4, -3, -2, -1)
    data = example.kspace.data
    generator = torch.Generator().manual_seed(seed)
    deviation = _deviations(_SAMPLES, 1, generator).item()
    drawn = torch.randn(data.shape, dtype=data.dtype, generator=generator).to(data.device)
    noise = deviation * example.image.abs().amax(dim=axes, keepdim=True) * drawn * example.kspace.mask
    moved = network(replace(example.kspace, data=data + noise), example.csm) - image
    tiny = torch.finfo(moved.real.dtype).smallest_normal
    apart, size = (magnitude(x).square().sum(dim=axes).clamp_min(tiny).sqrt() for x in (moved, noise))
    return (apart / size - _FREE).clamp_min(0).mean()


def denoising(denoiser: Callable[[Tensor, Tensor], Tensor], truth: Tensor, seed: int) -> Tensor:
    """`psnr` of denoiser(truth + e, s) for white complex noise e, s the deviation of its real and imaginary parts.

    truth: (*other, 1, z, y, x); s of each of the volumes, log-uniform, from 0.002 to 0.3 of its brightest point. A
    network that removes white noise of any level is good for any scan, and never sees one:
    Venkatakrishnan, Bouman and Wohlberg, GlobalSIP 2013:945. doi:10.1109/GlobalSIP.2013.6737048
    """
    generator = torch.Generator().manual_seed(seed)
    levels = _deviations(_IMAGES, truth.shape[:-4].numel(), generator).reshape(*truth.shape[:-4], 1, 1, 1, 1)
    level = levels.to(truth.device) * truth.abs().amax(dim=(-4, -3, -2, -1), keepdim=True)
    drawn = 2**0.5 * torch.randn(truth.shape, dtype=truth.dtype, generator=generator).to(truth.device)
    return psnr(denoiser(truth + level * drawn, level), truth)


def _deviations(limits: tuple[float, float], count: int, generator: torch.Generator) -> Tensor:
    """So many numbers between limits, log-uniform; of the processor, so that a training is the same on any device."""
    return torch.empty(count).uniform_(*(math.log(limit) for limit in limits), generator=generator).exp()
