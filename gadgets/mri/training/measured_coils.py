"""Receiver coils out of scans."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.interpolate import RBFInterpolator
from scipy.ndimage import affine_transform, label

from gadgets.mri.calibration.sensitivities import sensitivities
from gadgets.mri.kspace import KSpace

# Points per axis of maps that are kept: sensitivities are smooth, and are interpolated.
_GRID = 48
# As many places within the object are enough for the spline.
_PLACES = 500
# Of the spline, against what noise leaves in maps.
_SMOOTHING = 0.1
# Islands smaller than this share of the largest are no part of the object, but ghosts and noise that look alike.
_ISLAND = 0.1


def measured_maps(kspace: NDArray[np.complexfloating]) -> NDArray[np.complex64]:
    """Sensitivities (coil, 48, 48) over the field of view of a scan (coil, y, x), fully sampled or in its centre only.

    Within the object they are found by ESPIRiT. Outside, where a scan says nothing about them but another object may
    lie, they go on as smoothly as can be: by the thin plate spline of those inside.
    Duchon, in: Constructive Theory of Functions of Several Variables, 1977:85. doi:10.1007/BFb0086566

    Raises ValueError where the centre of k-space was not sampled, and where there is no object.
    """
    scan = KSpace.from_data(torch.from_numpy(np.ascontiguousarray(kspace[:, None], np.complex64)))
    csm = sensitivities(scan)[:, 0].numpy()
    inside = np.argwhere(_without_islands(np.any(csm != 0, axis=0)))
    if len(inside) < 3:
        raise ValueError(f"no sensitivities are found in k-space of shape {kspace.shape}")
    some = inside[:: -(-len(inside) // _PLACES)]
    values = csm[:, some[:, 0], some[:, 1]].T
    # Places from -1 to 1 along each axis.
    half = np.array(csm.shape[1:]) / 2
    spline = RBFInterpolator(some / half - 1, np.concatenate([values.real, values.imag], axis=1), smoothing=_SMOOTHING)
    axis = np.arange(_GRID) / (_GRID / 2) - 1
    grid = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
    real, imaginary = np.split(spline(grid), 2, axis=1)
    return _normalised((real + 1j * imaginary).T.reshape(len(csm), _GRID, _GRID))


def measured_coils(
    maps: NDArray[np.complexfloating], coils: int, matrix: tuple[int, int], random: np.random.Generator
) -> NDArray[np.complex64]:
    """Some of the coils of a scan, (coil, y, x), sum_coil |csm|^2 = 1, as another scan could have had them.

    maps: (coil, y, x) of `measured_maps`. Turned, mirrored, of a part of their field of view, in any order, each with a
    phase of its own.

    Raises ValueError for more coils than the scan has.
    """
    if not 1 <= coils <= len(maps):
        raise ValueError(f"coils is {coils}, expected 1 to {len(maps)}, those of the scan")
    chosen = maps[random.choice(len(maps), coils, replace=False)]
    if random.uniform() < 0.5:
        chosen = chosen.swapaxes(-2, -1)
    chosen = chosen[:, :: random.choice((-1, 1)), :: random.choice((-1, 1))]
    size = np.array(chosen.shape[1:])
    angle = random.normal(0, 0.15)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) * random.uniform(0.8, 1)
    turn = turn * (size[:, None] / np.array(matrix))
    middle = (size - 1) / 2 + random.normal(0, 0.03, 2) * size
    offset = middle - turn @ ((np.array(matrix) - 1) / 2)
    phase = np.exp(2j * np.pi * random.uniform(size=(coils, 1, 1)))
    fine = np.stack([affine_transform(one, turn, offset, matrix, order=3, mode="nearest") for one in chosen])
    return _normalised(phase * fine)


def _without_islands(support: NDArray[np.bool_]) -> NDArray[np.bool_]:
    islands, _ = label(support)
    sizes = np.bincount(islands.ravel())
    sizes[0] = 0
    return (sizes >= max(1, _ISLAND * sizes.max()))[islands]


def _normalised(csm: NDArray[np.complexfloating]) -> NDArray[np.complex64]:
    size = np.sqrt((np.abs(csm) ** 2).sum(axis=0))
    return (csm / np.maximum(size, np.finfo(np.float32).tiny)).astype(np.complex64)
