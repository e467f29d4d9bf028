"""Gradient delays of radial scans, from where spokes meet."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from gadgets.mri.calibration.radial_density import is_radial
from gadgets.mri.kspace import KSpace

# Where spokes meet is looked for up to so many samples from their centres, first on this grid.
_REACH = 4
_STEP = 0.25
# Steps of Gauss and Newton from there; they converge quadratically.
_STEPS = 5
# Weights of pairs come to rest within so many rounds; all that miss the ellipse by less than this (cycles) count
# alike. Where half of them miss it by more than that, no delays of this kind are behind it.
_ROUNDS = 20
_EXACT = 1e-3
_LOST = 0.5


def ring(kspace: KSpace) -> Tensor:
    """Gradient delays (*other, 3) of spokes: s_yy, s_xx, s_xy, in cycles per field of view.

    A gradient that lags shifts a spoke along itself, and cross terms shift it sideways: sample t of a spoke of
    direction n = (n_y, n_x) is not at t n but at t n + S n, S symmetric, which for all directions is an ellipse. Two
    spokes meet where their samples are the same in all coils. For each spoke and the one that is nearest to
    perpendicular to it, the places t_i and t_j are found by least squares over the coils, and S from
    t_i n_i - t_j n_j = S (n_j - n_i) of all pairs, by least distances, which outliers move little.

    The field of view must be the same along x and y. Raises ValueError for what is not made of spokes that run through
    the centre, for less than three of them, and where half of the pairs miss the ellipse by half a cycle or more.
    Rosenzweig, Holme and Uecker, MRM 2019;81:1898. doi:10.1002/mrm.27506
    """
    kspace.require_trajectory("ring")
    assert kspace.trajectory is not None
    if not is_radial(kspace.trajectory) or kspace.matrix[0] > 1:
        raise ValueError("ring finds gradient delays of spokes in one plane, and this trajectory is of another kind")
    places = kspace.trajectory.expand(*kspace.other, *kspace.trajectory.shape[-4:])
    mask = kspace.mask.expand(*kspace.other, 1, *kspace.matrix)
    out = torch.empty((*kspace.other, 3), dtype=kspace.data.real.dtype, device=kspace.data.device)
    for volume in np.ndindex(kspace.other):
        there = mask[volume][0, 0].any(dim=-1)
        out[volume] = _delays(kspace.data[volume][:, 0, there], places[volume][1:, 0, there].to(out))
    return out


def shifted(trajectory: Tensor, delays: Tensor) -> Tensor:
    """Where spokes (*other, 3, k2, k1, k0) really were, with delays (*other, 3) as `ring` finds them."""
    direction = _directions(trajectory[..., 1:, :, :, :])
    yy, xx, xy = (part[..., None, None] for part in delays.to(trajectory).unbind(dim=-1))
    ny, nx = direction.unbind(dim=-3)
    shift = torch.stack([torch.zeros_like(ny), yy * ny + xy * nx, xy * ny + xx * nx], dim=-3)
    return trajectory + shift[..., None]


def _directions(places: Tensor) -> Tensor:
    """Unit vectors (..., 2, k2, k1) of readouts (..., 2, k2, k1, k0), 0 for readouts of no length."""
    along = places[..., -1] - places[..., 0]
    length = torch.linalg.vector_norm(along, dim=-3, keepdim=True)
    return along / torch.where(length > 0, length, 1)


def _delays(data: Tensor, places: Tensor) -> Tensor:
    """s_yy, s_xx, s_xy from spokes (coil, spoke, sample) at places (2, spoke, sample)."""
    if data.shape[1] < 3:
        raise ValueError(f"ring needs three spokes or more, {data.shape[1]} were acquired")
    along = places[..., -1] - places[..., 0]
    step = along.norm(dim=0) / (places.shape[-1] - 1)
    n = along / along.norm(dim=0)
    # Where the nominal centre is, in samples.
    centre = -(places[..., 0] * n).sum(dim=0) / step
    first = torch.arange(data.shape[1], device=data.device)
    second = (n.mT @ n).abs().argmin(dim=1)
    spokes = data.movedim(1, 0)
    t = _meeting(spokes[first], spokes[second], centre[first], centre[second])
    difference = n[:, second] - n[:, first]
    ti, tj = ((t[side] - centre[which]) * step[which] for side, which in enumerate((first, second)))
    target = ti * n[:, first] - tj * n[:, second]
    dy, dx = difference
    nothing = torch.zeros_like(dy)
    rows = torch.stack([torch.stack([dy, nothing, dx], dim=-1), torch.stack([nothing, dx, dy], dim=-1)])
    return _robust(rows, target)


def _robust(rows: Tensor, target: Tensor) -> Tensor:
    """The s of least sum_pair ||rows (2, pair, 3) s - target (2, pair)||, by least squares that are weighted anew."""
    weight = torch.ones_like(target[0])
    for _ in range(_ROUNDS):
        root = weight.sqrt()
        system = (root[:, None] * rows).flatten(0, 1), (root * target).flatten()[:, None]
        solution = torch.linalg.lstsq(*system).solution[:, 0]
        missed = (rows @ solution - target).norm(dim=0)
        weight = 1 / missed.clamp_min(_EXACT)
    if missed.median() > _LOST:
        raise ValueError(
            f"the places where spokes meet are no ellipse: half of the pairs miss it by {missed.median():.2f} cycles "
            "per field of view or more"
        )
    return solution


def _meeting(one: Tensor, other: Tensor, centre_one: Tensor, centre_other: Tensor) -> Tensor:
    """Places (2, pair), in samples, at which readouts (pair, coil, sample) are most alike, near their centres."""
    grid = torch.arange(-_REACH, _REACH + _STEP / 2, _STEP, device=one.device, dtype=one.real.dtype)
    a, b = (
        torch.einsum("pcs,pgs->pgc", data, _waves(centre[:, None] + grid, data).to(data.dtype))
        for data, centre in ((one, centre_one), (other, centre_other))
    )
    energy = a.abs().square().sum(dim=-1)[:, :, None] + b.abs().square().sum(dim=-1)[:, None, :]
    # As a share of the energy: where there is little of it, everything is alike.
    alike = torch.einsum("pgc,phc->pgh", a, b.conj()).real / torch.where(energy > 0, energy, 1)
    best = alike.flatten(1).argmax(dim=1)
    t = torch.stack([centre_one + grid[best // len(grid)], centre_other + grid[best % len(grid)]])
    for _ in range(_STEPS):
        (u, du), (v, dv) = _value(one, t[0]), _value(other, t[1])
        jacobian = torch.view_as_real(torch.stack([du, -dv], dim=-1)).movedim(-1, -2).flatten(1, 2)
        miss = torch.view_as_real(u - v).flatten(1)
        change = torch.linalg.lstsq(jacobian, -miss[..., None]).solution[..., 0]
        t = t + change.clamp(-_STEP, _STEP).mT
    return t


def _value(data: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
    """Readouts (pair, coil, sample) at t (pair), in samples, and their slope there: (pair, coil) each."""
    near = torch.stack([t - 0.05, t, t + 0.05], dim=1)
    before, here, after = torch.einsum("pcs,pgs->gpc", data, _waves(near, data).to(data.dtype))
    return here, (after - before) / 0.1


def _waves(t: Tensor, data: Tensor) -> Tensor:
    """Weights (pair, place, sample) that interpolate between samples: sinc, as the object is within the readout's field
    of view."""
    return torch.sinc(t[..., None] - torch.arange(data.shape[-1], device=t.device))
