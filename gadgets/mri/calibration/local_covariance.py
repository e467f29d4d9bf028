"""What the channels have in common around each point of their images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torch.nn.functional import pad

# Points times coils squared that are worked on at once: 16 MB of complex64.
_CHUNK = 1 << 21

Rows = tuple[slice, slice]


def neighbourhoods(
    image: Tensor, window: Sequence[int], *, periodic: bool = False
) -> Iterator[tuple[Rows, Tensor, Tensor]]:
    """Slices of (z, y), and for the points there the covariance and the sum of the channels in the box around each.

    image: (coil, z, y, x). `window`: points of the box along (z, y, x), odd; axes of length 1 have no neighbours, and
    beyond the edges there is nothing or, with `periodic`, the opposite edge. The covariance, sum m m^H over the box, is
    (coil, coil, point), the sum of m (coil, point): points last, so that many small products are few long ones. Slices
    are as large as memory allows.
    """
    n_coils, nz, ny, nx = image.shape
    half = [width // 2 if length > 1 else 0 for width, length in zip(window, (nz, ny, nx), strict=True)]
    if periodic:
        padded = image
        for axis, width in enumerate(half, start=1):
            places = torch.arange(-width, image.shape[axis] + width, device=image.device) % image.shape[axis]
            padded = padded.index_select(axis, places)
    else:
        padded = pad(image, [edge for width in reversed(half) for edge in (width, width)])
    planes = min(nz, max(1, _CHUNK // (n_coils**2 * ny * nx)))
    rows = min(ny, max(1, _CHUNK // (n_coils**2 * planes * nx)))
    for z in range(0, nz, planes):
        for y in range(0, ny, rows):
            part = padded[:, z : z + planes + 2 * half[0], y : y + rows + 2 * half[1]]
            there = slice(z, min(z + planes, nz)), slice(y, min(y + rows, ny))
            yield there, _covariance(part, half), _box_sum(part, half).flatten(1)


def _covariance(image: Tensor, half: Sequence[int]) -> Tensor:
    """Sum of m m^H over the box around each point, (coil, coil, point), of m (coil, z + ., y + ., x + .)."""
    i, j = torch.tril_indices(len(image), len(image), device=image.device)
    flat = _box_sum(image[i] * image[j].conj(), half).flatten(1)
    covariance = flat.new_empty((len(image), len(image), flat.shape[1]))
    covariance[j, i] = flat.conj()
    covariance[i, j] = flat
    return covariance


def _box_sum(values: Tensor, half: Sequence[int]) -> Tensor:
    """Sums over 2 * half + 1 neighbours along each of the last three axes, where all of them are there."""
    for axis, width in enumerate(half, start=1):
        length = values.shape[axis] - 2 * width
        total = values.narrow(axis, 0, length).clone()
        for shift in range(1, 2 * width + 1):
            total += values.narrow(axis, shift, length)
        values = total
    return values
