"""Density compensation of spokes, in closed form."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

# How far from a straight line through the centre (or a parallel to the plane) a sample of a spoke may be, in cycles
# per field of view: gradient delays and the rounding of trajectories move spokes, and change areas but little.
_OFF = 1.0


def is_radial(trajectory: Tensor) -> bool:
    """Whether all readouts of a trajectory (*other, 3, k2, k1, k0) are straight, of one kz each, through the kz axis.

    Readouts of no length, which stand where nothing was acquired, do not count.
    """
    z, y, x = trajectory.unbind(dim=-4)
    dy, dx, length = _direction(y, x)
    across = (x * dy - y * dx).abs()[length[..., 0] > 0]
    level = (z - z[..., :1]).abs()
    return trajectory.shape[-1] > 1 and bool((length > 0).any() and (across < _OFF).all() and (level < _OFF).all())


def radial_density(trajectory: Tensor, mask: Tensor) -> Tensor:
    """Weights (*other, 1, k2, k1, k0) with which sums over spokes (*other, 3, k2, k1, k0) are integrals over k-space.

    Spokes are diameters or radii at any angles, k2 counting planes; a half spoke has half of the angle to each of its
    neighbours. The weight of a sample is angle |k| d, d being the distance of samples. A sum over |k| d f(k) along half
    a spoke whose first sample is at a d falls short of the integral by d^2 B(a) / 2 f(0), B(a) = a^2 - a + 1/6 (Euler
    and Maclaurin): the samples at the centre, or on both sides of it, have that in addition. (The innermost disc would
    give half as much again, and the image a background.) Samples that were not acquired have 0, and take no angle.
    Lauzon and Rutt, MRM 1996;36:940. doi:10.1002/mrm.1910360617
    """
    other = torch.broadcast_shapes(trajectory.shape[:-4], mask.shape[:-4])
    places = trajectory.expand(*other, *trajectory.shape[-4:])
    acquired = mask.expand(*other, 1, *trajectory.shape[-3:]).squeeze(-4)
    _, y, x = places.unbind(dim=-4)
    dy, dx, _ = _direction(y, x)
    radius = x * dx + y * dy
    step = torch.diff(radius, dim=-1).abs()
    step = torch.cat([step[..., :1], (step[..., 1:] + step[..., :-1]) / 2, step[..., -1:]], dim=-1)
    angle = torch.atan2(dy, dx).squeeze(-1)
    there = acquired.any(dim=-1)
    # A side is there where it has more than the sample at the centre.
    sides = [there & (side.amax(dim=-1) > 0) for side in (radius - step, -radius - step)]
    shares = _shares(torch.stack([angle, angle + torch.pi], dim=-1), torch.stack(sides, dim=-1))
    ring = radius.abs() * step * torch.where(radius < 0, shares[..., 1:], shares[..., :1])
    first = (radius.abs() / torch.where(step > 0, step, 1)).amin(dim=-1, keepdim=True)
    short = step.square() * (first.square() - first + 1 / 6) / 2 * shares.sum(dim=-1, keepdim=True)
    near = (1 - radius.abs() / torch.where(step > 0, step, 1)).clamp_min(0)
    near = near / torch.where(near > 0, near.sum(dim=-1, keepdim=True), 1)
    return ((ring + near * short) * acquired).unsqueeze(-4)


def _direction(y: Tensor, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The unit vector along each spoke (dy, dx) and its length, all (..., 1)."""
    dy, dx = y[..., -1:] - y[..., :1], x[..., -1:] - x[..., :1]
    length = torch.hypot(dy, dx)
    safe = torch.where(length > 0, length, 1)
    return dy / safe, dx / safe, length


def _shares(angle: Tensor, there: Tensor) -> Tensor:
    """The angle (..., spoke, side) that each half spoke stands for; 0 for those that are not there."""
    shares = torch.zeros_like(angle)
    for plane in np.ndindex(angle.shape[:-2]):
        chosen = there[plane]
        if not chosen.any():
            continue
        values, order = torch.remainder(angle[plane][chosen], 2 * torch.pi).sort()
        gaps = torch.diff(values, append=values[:1] + 2 * torch.pi)
        share = torch.empty_like(values)
        share[order] = (gaps + gaps.roll(1)) / 2
        shares[plane][chosen] = share
    return shares
