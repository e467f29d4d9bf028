"""Calibration data on the Cartesian grid from k-space along a trajectory."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor

from gadgets.mri.fft import fft
from gadgets.mri.field_of_view import centred
from gadgets.mri.kspace import KSpace
from gadgets.mri.operators.non_uniform_fourier import NonUniformFourierOp
from gadgets.mri.solvers.cg import cg

# Sensitivities are smooth: more of the centre of k-space than this per axis adds noise and work, and no detail.
_WIDTH = 32
# Fewer than this cannot follow how sensitivities change over the field of view.
_LEAST = 8
# The centre of k-space, which samples densely, is found in few iterations; more would fit noise.
_ITERATIONS = 10


def gridded(reference: KSpace) -> KSpace:
    """Cartesian k-space (*other, coil, k2, k1, k0) on the matrix of the image, with the centre of k-space alone.

    The centre is the largest cube, up to 32 points wide, of the grid that has samples in or beside all of its cells.
    Coil images of twice its size are fitted to the samples that lie in theirs, by least squares without sensitivities
    (for an object within the field of view, no prior knowledge is needed where sampling is dense), and their transform
    is cropped to the box.

    Raises ValueError for Cartesian k-space, and for a cube of less than 8 points.
    Pruessmann et al., MRM 2001;46:638. doi:10.1002/mrm.1241
    """
    reference.require_trajectory("gridded")
    assert reference.trajectory is not None
    matrix = reference.image_matrix
    width = _width(_cells(reference.trajectory, reference.mask, matrix))
    # Its own half as a margin: samples near the rim of the small images hold signal of what lies beyond.
    small = [min(length, 2 * size) for length, size in zip(matrix, width, strict=True)]
    reach = torch.tensor(small, device=reference.trajectory.device)[:, None, None, None] / 2
    inside = (reference.trajectory.abs() < reach.clamp_min(1)).all(dim=-4, keepdim=True) & reference.mask
    used = inside.reshape(-1, inside.shape[-1]).any(dim=0).nonzero()
    k0 = slice(int(used.min()), int(used.max()) + 1)
    inside = inside[..., k0]
    # What is not used may lie beyond the small images' k-space, but must lie somewhere.
    trajectory = torch.where(inside, reference.trajectory[..., k0], 0)
    transform = NonUniformFourierOp(trajectory, small)
    images = cg(
        transform.weighted_gram(inside.to(trajectory.dtype)),
        transform.adjoint(inside * reference.data[..., k0]),
        iterations=_ITERATIONS,
        batch_dims=range(len(reference.other) + 1),
    ).x
    data = centred(centred(fft(images, (-3, -2, -1)), width), matrix)
    mask = centred(torch.ones(width, dtype=torch.bool, device=data.device), matrix)
    return KSpace(data=data, mask=mask.reshape(*[1] * len(reference.other), 1, *matrix))


def _width(cells: Tensor) -> list[int]:
    """The lengths of the largest cube about the centre, or of what the grid has of it, that is all true."""
    matrix = cells.shape[-3:]
    largest = min(max(matrix), _WIDTH)
    for size in range(largest, 0, -1):
        width = [min(size, length) for length in matrix]
        if centred(cells, width).all():
            break
    else:
        raise ValueError("no calibration region: no sample is at the centre of k-space")
    if size < min(_LEAST, largest):
        raise ValueError(
            f"readouts lie close enough for calibration only in the central {size} cells of k-space per axis; "
            f"{min(_LEAST, largest)} are needed"
        )
    return width


def _cells(trajectory: Tensor, mask: Tensor, matrix: tuple[int, int, int]) -> Tensor:
    """Places (*other, 1, z, y, x) of the Cartesian grid with a sample within 3/4 of a cell along each axis.

    Between lines of samples that are further apart than one and a half cells there are places without.
    """
    other = torch.broadcast_shapes(trajectory.shape[:-4], mask.shape[:-4])
    places = trajectory.expand(*other, *trajectory.shape[-4:]).reshape(-1, *trajectory.shape[-4:])
    acquired = mask.expand(*other, 1, *trajectory.shape[-3:]).reshape(len(places), -1)
    cells = torch.zeros(len(places), *matrix, dtype=torch.bool, device=trajectory.device)
    volume = torch.arange(len(places), device=trajectory.device)[:, None].expand_as(acquired)
    for offset in itertools.product((-0.25, 0.25), repeat=3):
        index, within = [volume], acquired
        for axis, (length, move) in enumerate(zip(matrix, offset, strict=True)):
            place = (places[:, axis] + (move if length > 1 else 0)).round().long().flatten(1) + length // 2
            within = within & (place >= 0) & (place < length)
            index.append(place)
        cells[tuple(part[within] for part in index)] = True
    return cells.reshape(*other, 1, *matrix)
