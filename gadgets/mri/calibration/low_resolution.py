"""Coil images of low resolution."""

from __future__ import annotations

import torch
from torch import Tensor

from gadgets.mri.calibration.gridded import gridded
from gadgets.mri.calibration.region import calibration_region
from gadgets.mri.fft import ifft
from gadgets.mri.kspace import KSpace
from gadgets.mri.windows import hann


def low_resolution(reference: KSpace) -> Tensor:
    """Coil images (*other, coil, z, y, x) from the fully sampled centre of k-space, on the full matrix.

    Along axes where that region covers less than the matrix, a Hann window over it keeps the images from ringing; along
    the others nothing is changed. Along a trajectory, the centre is put on the grid first (`gridded`).
    Raises ValueError where the centre was not sampled.
    """
    if reference.trajectory is not None:
        reference = gridded(reference)
    region = calibration_region(reference.mask.expand(*reference.other, 1, *reference.matrix))
    k2, k1, k0 = region
    block = reference.data[..., k2, k1, k0]
    for axis, (part, length) in zip((-3, -2, -1), zip(region, reference.matrix, strict=True), strict=True):
        size = part.stop - part.start
        if size < length:
            offset = torch.arange(size, device=block.device) - size // 2
            taper = torch.cos(torch.pi * offset / (size + 1)).square().to(block.real.dtype)
            block = block * taper.reshape([-1] + [1] * (-1 - axis))
    data = torch.zeros_like(reference.data)
    data[..., k2, k1, k0] = block
    return ifft(data, (-3, -2, -1))


def smooth_low_resolution(reference: KSpace) -> Tensor:
    """As `low_resolution` of Cartesian k-space, with a Hann window over the region along every axis.

    So the images have neither ringing nor details, as stock chains make them for their maps; noise keeps its level.
    Raises ValueError where the centre was not sampled, and for a trajectory.
    """
    reference.require_cartesian("smooth_low_resolution")
    region = calibration_region(reference.mask.expand(*reference.other, 1, *reference.matrix))
    data = torch.zeros_like(reference.data)
    block = reference.data[(..., *region)]
    for axis, size in zip((-3, -2, -1), block.shape[-3:], strict=True):
        block = block * hann(size).to(block).reshape([-1] + [1] * (-1 - axis))
    data[(..., *region)] = block
    return ifft(data, (-3, -2, -1))
