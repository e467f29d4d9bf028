"""Density compensation: the area of k-space that each sample stands for."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from gadgets.mri.calibration.radial_density import is_radial, radial_density
from gadgets.mri.kspace import KSpace
from gadgets.mri.operators.non_uniform_fourier import NonUniformFourierOp


def density(kspace: KSpace) -> Tensor:
    """The dcf (*other, 1, k2, k1, k0) of k-space along a trajectory: its own; without, that of spokes in closed form;
    for any other trajectory, by iteration. Samples that were not acquired have 0.

    The unit is a cell of the Cartesian grid: there, all samples have 1. Raises ValueError for Cartesian k-space.
    """
    kspace.require_trajectory("density")
    assert kspace.trajectory is not None
    if kspace.dcf is not None:
        return kspace.dcf * kspace.mask
    if is_radial(kspace.trajectory):
        return radial_density(kspace.trajectory, kspace.mask)
    return pipe_menon(kspace.trajectory, kspace.image_matrix, kspace.mask)


def pipe_menon(trajectory: Tensor, matrix: Sequence[int], mask: Tensor, *, iterations: int = 15) -> Tensor:
    """Density compensation (*other, 1, k2, k1, k0) of any trajectory (*other, 3, k2, k1, k0), by w <- w / (w * C).

    Where w convolved with C is 1 at all samples, gridding is right at distances that C does not resolve. C is the
    transform of a field of view convolved with itself, sinc^2 along each axis: it is nowhere negative, and 1 at 0 and 0
    at the other places of the Cartesian grid, so that w counts cells of it.
    Pipe and Menon, MRM 1999;41:179. doi:10.1002/(SICI)1522-2594(199901)41:1<179::AID-MRM25>3.0.CO;2-V
    """
    transform = NonUniformFourierOp(trajectory, matrix).doubled()
    profile = torch.tensor(math.prod(transform.matrix) / math.prod(matrix)).to(trajectory)
    for axis, (length, double) in enumerate(zip(matrix, transform.matrix, strict=True)):
        if double != length:
            distance = (torch.arange(double, device=trajectory.device) - length).abs()
            profile = profile * (1 - distance / length).reshape([-1] + [1] * (2 - axis)).to(profile)
    shape = torch.broadcast_shapes((*trajectory.shape[:-4], 1, *trajectory.shape[-3:]), mask.shape)
    weights = mask.expand(shape).to(trajectory.dtype)
    for _ in range(iterations):
        around = transform(profile * transform.adjoint(weights + 0j)).real
        # Rounding apart, what is around a sample is at least itself.
        weights = weights / torch.maximum(around, weights).clamp_min(torch.finfo(weights.dtype).tiny)
    return weights
