"""Trajectories of recon buffers: from what acquisitions say to the places in k-space that numerics take.

MRD does not fix the unit of trajectories. Two are in use, and told apart by how far the trajectory reaches:

up to 0.5: normalised. Along x and y, 1 is the sampling rate that the encoded space has along x (what it has along y is
    the number of readouts, as a rule), matrixSize.x / fieldOfView_mm.x; along z, that along z.
from 4 up to half of the encoded matrix: cycles per encoded field of view, along each axis.

Between them, where radians would be, and beyond them, trajectories are refused. Components come as (x, y) or (x, y, z).
"""

from __future__ import annotations

import logging
from functools import cache
from typing import Any

import numpy as np
import torch
from gadgetron.types.recon_data import ReconBuffer, SamplingDescription
from torch import Tensor

log = logging.getLogger(__name__)

# How much further than the edge a trajectory may reach: rounding, and gradients that are not quite what they should be.
_MARGIN = 1.02
# The least reach of what is taken for cycles per field of view: more than pi.
_LEAST_CYCLES = 4.0


def image_matrix(sampling: SamplingDescription) -> tuple[int, int, int]:
    """The matrix (z, y, x) of the image of readouts along a trajectory: the reconstructed one of the header."""
    x, y, z = (int(length) for length in sampling.recon_matrix)
    if min(x, y) < 1:
        raise ValueError(f"images of a trajectory need the reconstructed matrix, which the header gives as {x} x {y}")
    return max(z, 1), y, x


def places_of(buffer: ReconBuffer) -> Tensor:
    """Places (LOC, S, N, 3, E2, E1, E0) of a buffer with a trajectory [dimension, E0, E1, E2, N, S, LOC]: components
    (z, y, x), in cycles per reconstructed field of view. Axes LOC, S and N along which they are the same have length 1.

    Raises ValueError for a unit that cannot be told, for components that are neither two nor three, for values that are
    no numbers, and for a third component that leads out of the plane of two-dimensional images.
    """
    values = np.asarray(buffer.trajectory.T, np.float32)
    dimensions = values.shape[-1]
    if dimensions not in (2, 3):
        raise ValueError(f"the trajectory has {dimensions} components, expected (x, y) or (x, y, z)")
    if not np.isfinite(values).all():
        raise ValueError("the trajectory holds values that are NaN or infinite")
    for axis in range(3):
        if (values == values.take([0], axis)).all():
            values = values.take([0], axis)
    units = factors(buffer)
    if dimensions == 3 and image_matrix(buffer.sampling)[0] == 1 and np.abs(values[..., 2]).max() > 1e-3:
        raise ValueError(
            f"the trajectory's third component is up to {np.abs(values[..., 2]).max():.3g}, but the image is "
            "two-dimensional: kz must be 0, and density compensation has no place there"
        )
    out = np.zeros((*values.shape[:-1], 3), np.float32)
    for component in range(dimensions):
        out[..., 2 - component] = units[component] * values[..., component]
    return torch.from_numpy(np.ascontiguousarray(np.moveaxis(out, -1, 3)))


def within(places: Tensor, matrix: tuple[int, int, int]) -> Tensor:
    """Which places (..., 3, E2, E1, E0) belong to the k-space of an image of this matrix, (..., 1, E2, E1, E0)."""
    edge = torch.tensor([length / 2 * _MARGIN for length in matrix])[:, None, None, None]
    return (places.abs() <= edge).all(dim=-4, keepdim=True)


def require_trajectory(header: Any, space: int, buffer: ReconBuffer) -> None:
    """Raise ValueError where acquisitions of an encoding space that is on no grid do not say where they are."""
    kind = header.encoding[space].trajectory.value if space < len(header.encoding) else "cartesian"
    if kind not in ("cartesian", "epi") and buffer.trajectory is None:
        raise ValueError(f"encoding space {space} is {kind}, but its acquisitions have no trajectory")


def factors(buffer: ReconBuffer) -> list[float]:
    """Cycles per reconstructed field of view for each unit of the trajectory, along x, y and z.

    Raises ValueError for a unit that cannot be told.
    """
    reach, sampling = float(np.abs(buffer.trajectory).max()), buffer.sampling
    size = sampling.encoded_matrix
    zoom = [
        recon / encoded if recon > 0 and encoded > 0 else 1.0
        for recon, encoded in zip(sampling.recon_FOV, sampling.encoded_FOV, strict=True)
    ]
    if 0 < reach <= 0.5 * _MARGIN:
        _say(f"trajectories reach {reach:.3g}: taken for normalised, 0.5 being the edge of the encoded matrix")
        # Along y the rate is that along x, in the unit of y's own field of view.
        along_y = sampling.recon_FOV[1] / sampling.encoded_FOV[0] if sampling.encoded_FOV[0] > 0 else 1.0
        return [size[0] * zoom[0], size[0] * (along_y or 1.0), max(size[2], 1) * zoom[2]]
    if _LEAST_CYCLES <= reach <= max(size) / 2 * _MARGIN:
        _say(f"trajectories reach {reach:.4g}: taken for cycles per encoded field of view")
        return zoom
    raise ValueError(
        f"the trajectory reaches {reach:.4g}, expected up to 0.5 (normalised), or {_LEAST_CYCLES:g} to "
        f"{max(size) / 2:g} (cycles per field of view, up to half of the encoded matrix)"
    )


@cache
def _say(text: str) -> None:
    """Say it once."""
    log.info(text)
