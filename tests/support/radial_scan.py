"""Radial scans of the analytic phantom, beside what a Cartesian scan of the same object gives."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from gadgets.mri.fft import ifft
from gadgets.mri.kspace import KSpace
from gadgets.mri.phantom.scan import cartesian, sample
from gadgets.mri.phantom.trajectories import radial


def trajectory(*series: int, spokes: int, size: int, oversampling: int = 2, golden: bool = False) -> Tensor:
    """Spokes (*series, 3, 1, spoke, sample); a series goes on with further spokes."""
    frames = int(np.prod(series))
    places = radial(frames * spokes, oversampling * size, size, golden=golden).astype(np.float32)
    return torch.from_numpy(places).reshape(*series, spokes, -1, 3).movedim(-1, -3).unsqueeze(-3)


def radial_scan(
    places: Tensor, size: int, *, coils: int = 6, slices: tuple[int, ...] = (0,), smooth: bool = True
) -> KSpace:
    """Planes of the phantom (slice, coil, 1, spoke, sample) along a trajectory (3, 1, spoke, sample).

    Unless `smooth` is False, the object is smoothed (`window`), so that neither the rim of a disc in k-space nor the
    corners of a square are seen.
    """
    k = places.movedim(-4, -1).numpy().astype(float)
    scale = size * (window(np.linalg.norm(k, axis=-1), size) if smooth else 1)
    data = np.stack([sample(k, coils=coils, slice_index=index) * scale for index in slices]).astype(np.complex64)
    mask = torch.ones(1, 1, 1, 1, 1, dtype=torch.bool)
    return KSpace(data=torch.from_numpy(data), mask=mask, trajectory=places[None], grid=(1, size, size))


def coil_images(size: int, *, coils: int = 6, slices: tuple[int, ...] = (0,)) -> Tensor:
    """Coil images (slice, coil, 1, y, x) of the same smoothed object from its Cartesian k-space."""
    k = np.arange(size) - size // 2
    smooth = window(np.hypot(k[:, None], k), size).astype(np.float32)
    planes = np.stack([cartesian((size, size, 1), coils=coils, slice_index=index) * smooth for index in slices])
    return ifft(torch.from_numpy(planes), (-3, -2, -1))


def window(k: np.ndarray, size: int) -> np.ndarray:
    """Hann: 1 at the centre of k-space, 0 from the edge on."""
    return np.where(k < size / 2, np.cos(np.pi * k / size) ** 2, 0)
