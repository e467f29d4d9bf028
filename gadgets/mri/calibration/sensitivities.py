"""Sensitivities from a calibration region."""

from __future__ import annotations

import torch
from torch import Tensor

from gadgets.mri.calibration.region import calibration_region
from gadgets.mri.calibration.walsh import walsh
from gadgets.mri.fft import ifft
from gadgets.mri.kspace import KSpace


def sensitivities(reference: KSpace, *, window: int = 5, support: float = 0.5) -> Tensor:
    """Maps csm (*other, coil, z, y, x) on the grid of `reference`, from its fully sampled centre.

    The region's coil images are combined adaptively (`walsh`, over `window` points). The support of the object is where
    one source of signal makes up at least `support` of the local energy of all channels, whatever the intensity: so it
    keeps weak signal far from the coils, and does not depend on scale. There sum_coil |csm|^2 = 1; elsewhere the maps
    are 0. With few coils, noise alone can exceed the limit; the support is then too large, which does no harm. 0 keeps
    all points.

    Raises ValueError for k-space with a trajectory, not finite, or without samples at its centre.
    """
    reference.require_cartesian("sensitivities")
    reference.require_finite()
    csm, dominance = walsh(_low_resolution(reference), window=window)
    return csm * (dominance >= support)


def _low_resolution(reference: KSpace) -> Tensor:
    """Coil images (*other, coil, z, y, x) of the calibration region, on the full matrix.

    Along axes where the region covers less than the matrix, a Hann window over it keeps the images from ringing.
    """
    region = calibration_region(reference.mask)
    block = reference.data[(..., *region)]
    for axis, (part, length) in zip((-3, -2, -1), zip(region, reference.matrix, strict=True), strict=True):
        size = part.stop - part.start
        if size < length:
            offset = torch.arange(size, device=block.device) - size // 2
            taper = torch.cos(torch.pi * offset / (size + 1)).square().to(block.real.dtype)
            block = block * taper.reshape([-1] + [1] * (-1 - axis))
    data = torch.zeros_like(reference.data)
    data[(..., *region)] = block
    return ifft(data, (-3, -2, -1))
