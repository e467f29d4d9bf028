"""Windows on k-space: what is given to each point between its centre and its border.

A window of length N has its centre at index N // 2. It is symmetric about it, so that it adds no phase to the image;
where N is even, the first point has no counterpart and is 0. Windows are scaled to a mean square of 1: white noise
keeps its standard deviation, and the image its units of SNR.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from gadgets.mri.field_of_view import centred


def hann(length: int) -> Tensor:
    """Window (length,) float32 that falls to 0 one point beyond its ends: cos^2(pi k / (2 ceil(length / 2)))."""
    return unit_noise(torch.cos(torch.pi * _offsets(length) / (2 * ((length + 1) // 2))).square())


def gaussian(length: int, sigma: float) -> Tensor:
    """Window (length,) float32 exp(-(sigma k)^2 / (2 h^2)), h the last point: the larger sigma is, the narrower."""
    k, last = _offsets(length), (length - 1) // 2
    return unit_noise(torch.exp(-((sigma * k / max(last, 1)) ** 2) / 2) * (k >= -last))


def tapered_hann(length: int, width: int) -> Tensor:
    """Window (length,) float32, flat but for the last `width` points of each side, which rise like a Hann window."""
    inside = (length - 1) // 2 + 1 - _offsets(length).abs()
    return unit_noise(_rise(inside, width))


def partial_fourier_window(length: int, first: int, last: int, share: float, *, compensate: bool = False) -> Tensor:
    """Window (length,) float32 on an axis of which only the points `first` to `last` were acquired, more of one side.

    0 where nothing was acquired. On the shorter side the last points rise like a Hann window: a share of the axis, or,
    where something is missing on the longer side too, of twice that. With `compensate`, points of the longer side
    without a counterpart count twice, from which the weight falls to 1 in as many points again.

    Raises ValueError for limits that are not within the axis or not about its centre.
    """
    centre = length // 2
    if not 0 <= first <= centre <= last < length:
        raise ValueError(f"points {first} to {last} are no range about the centre {centre} of {length} points")
    k = _offsets(length)
    before, after = centre - first, last - centre
    if before > after:
        k = -k
    shorter, longer = min(before, after), max(before, after)
    complete = first == 0 or last == length - 1
    width = max(1, int(share * (length if complete else 2 * (longer + 1))))
    window = _rise(k + shorter + 1, width)
    if compensate:
        window = window * (2 - _rise(shorter + 0.5 - k, width))
    return unit_noise(window * (k <= longer), last - first + 1)


def on_range(window: Tensor, length: int, first: int, last: int) -> Tensor:
    """A window put on the centre of an axis of `length`, scaled for noise at the points `first` to `last` alone."""
    placed = centred(window, (length,))
    return placed / placed[first : last + 1].square().mean().sqrt()


def unit_noise(window: Tensor, points: int | None = None) -> Tensor:
    """The window as float32, scaled such that white noise at `points` of its points (by default all) keeps its energy.

    Raises ValueError for a window of zeros.
    """
    energy = float(window.double().square().sum())
    if not energy:
        raise ValueError("a window of zeros keeps nothing")
    return (window.double() * math.sqrt((points or len(window)) / energy)).float()


def _offsets(length: int) -> Tensor:
    """Points from the centre. Raises ValueError for an axis without points."""
    if length < 1:
        raise ValueError(f"length is {length}, expected 1 or more")
    return torch.arange(length, dtype=torch.float64) - length // 2


def _rise(inside: Tensor, width: int) -> Tensor:
    """sin^2(pi i / (2 width + 1)) for the first `width` points i = 1, 2, ... inside a border, 0 outside, then 1."""
    if width < 1:
        raise ValueError(f"width is {width}, expected 1 point or more")
    rise = torch.sin(torch.pi * inside.clamp(0, width) / (2 * width + 1)).square()
    return torch.where(inside > width, 1.0, rise)
