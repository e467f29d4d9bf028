"""What a partially sampled k-space says of the phase of its image."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gadgets.mri.fft import ifft
from gadgets.mri.kspace import KSpace

# Fewer points than this beyond the centre hold no phase that varies over the image.
_LEAST = 4


@dataclass(frozen=True, kw_only=True)
class PartialFourier:
    """The box that was acquired, and how far k-space is there on both sides of its centre.

    parts: slices of (k2, k1, k0); matrix: their axes' lengths. `widths`: points from the centre of k-space that were
    acquired on both sides, or None along axes that are complete.
    """

    parts: tuple[slice, slice, slice]
    matrix: tuple[int, int, int]
    widths: tuple[int | None, int | None, int | None]

    @property
    def axes(self) -> tuple[int, ...]:
        """The axes (0 to 2) that are partial."""
        return tuple(axis for axis, width in enumerate(self.widths) if width is not None)


def partial_fourier(kspace: KSpace, method: str) -> PartialFourier:
    """How much of k-space lies on which side of its centre, from the mask and from nothing else.

    Raises ValueError, naming `method`, where nothing was acquired, where elements of `other` differ, where samples are
    missing within the box that was acquired, and along each axis where as much is missing on one side of the centre as
    on the other (conjugate symmetry has then nothing to fill in), or where less than 4 points lie beyond the centre.
    """
    masks = kspace.mask.expand(*kspace.other, 1, *kspace.matrix).reshape(-1, *kspace.matrix)
    mask = masks[0]
    if not bool(mask.any()):
        raise ValueError(f"{method}: nothing was acquired")
    if bool((masks != mask).any()):
        raise ValueError(f"{method} takes k-space whose slices and repetitions are sampled alike, but these differ")
    places = mask.nonzero()
    starts, stops = places.amin(dim=0).tolist(), (places.amax(dim=0) + 1).tolist()
    k2, k1, k0 = (slice(start, stop) for start, stop in zip(starts, stops, strict=True))
    if not bool(mask[k2, k1, k0].all()):
        raise ValueError(f"{method} takes k-space without gaps, but samples are missing within it: fill them before it")
    widths = [
        _width(name, part, length, method)
        for name, part, length in zip(("k2", "k1", "k0"), (k2, k1, k0), kspace.matrix, strict=True)
    ]
    return PartialFourier(parts=(k2, k1, k0), matrix=kspace.matrix, widths=(widths[0], widths[1], widths[2]))


def low_resolution_phase(data: Tensor, partial: PartialFourier) -> Tensor:
    """exp(i phase) of coil images (*other, coil, z, y, x) from the part of k-space that is there on both sides.

    A Hann window over that part keeps the phase from ringing; along complete axes nothing is changed. 0 where there is
    no signal.
    Noll et al., IEEE TMI 1991;10:154. doi:10.1109/42.79473
    """
    return unit(ifft(low_pass(data, partial), (-3, -2, -1)))


def low_pass(data: Tensor, partial: PartialFourier) -> Tensor:
    """K-space (*other, coil, k2, k1, k0) under the window of `low_resolution_phase`."""
    for axis in partial.axes:
        width, length = partial.widths[axis], partial.matrix[axis]
        assert width is not None
        offset = torch.arange(length, device=data.device) - length // 2
        window = torch.cos(torch.pi / 2 * (offset / (width + 1)).clamp(-1, 1)).square().to(data.real.dtype)
        data = data * window.reshape([-1] + [1] * (2 - axis))
    return data


def unit(images: Tensor) -> Tensor:
    """Images divided by their magnitude; 0 where they are 0."""
    size = images.abs()
    return images / torch.where(size > 0, size, 1)


def _width(name: str, part: slice, length: int, method: str) -> int | None:
    """Points on both sides of the centre of an axis; None where it is complete."""
    if part == slice(0, length):
        return None
    before, after = length // 2 - part.start, part.stop - 1 - length // 2
    if before == after:
        raise ValueError(
            f"{method} fills one side of k-space from the other, but along {name} points {part.start} to "
            f"{part.stop - 1} of {length} were acquired: as many before the centre as after it"
        )
    if min(before, after) < _LEAST:
        raise ValueError(
            f"{method} takes the phase from the centre of k-space, but along {name} points {part.start} to "
            f"{part.stop - 1} of {length} were acquired: fewer than {_LEAST} on one side of the centre"
        )
    return min(before, after)
