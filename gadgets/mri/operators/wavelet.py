"""Orthogonal wavelets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from gadgets.mri.operators.identity import IdentityOp
from gadgets.mri.operators.linear_operator import LinearOperator

# Low-pass filters, of 1 and of 2 vanishing moments; g_m = (-1)^m h_(last - m) is the high-pass to each.
_FILTERS = {
    "haar": tuple(2**-0.5 for _ in range(2)),
    "daubechies4": tuple((a + b * 3**0.5) / 32**0.5 for a, b in ((1, 1), (3, 1), (3, -1), (1, -1))),
}


class WaveletOp(LinearOperator):
    """W: images to their coefficients, of the same shape; orthogonal, W^H W = W W^H = 1, for sizes odd and even.

    One level, along each of `axes`: low_k = sum_m h_m x_(2k+m), high_k = sum_m g_m x_(2k+m), periodic, low before high.
    The next level does the same to what is low along all axes. Of an odd length, the last point goes along unchanged,
    behind high, and is no part of the next level; axes with a single point stay as they are. Images are first moved by
    `shift` points (one number per axis), periodically, so that blocks and odd points can be put anywhere.
    `wavelet`: "haar", or "daubechies4" of four taps and two vanishing moments.
    Daubechies, Commun Pure Appl Math 1988;41:909. doi:10.1002/cpa.3160410705
    Mallat, IEEE TPAMI 1989;11:674. doi:10.1109/34.192463
    """

    def __init__(
        self,
        axes: Sequence[int] = (-3, -2, -1),
        *,
        levels: int = 3,
        wavelet: Literal["haar", "daubechies4"] = "daubechies4",
        shift: Sequence[int] | None = None,
    ) -> None:
        if wavelet not in _FILTERS:
            raise ValueError(f"no wavelet {wavelet!r}; there are: {', '.join(_FILTERS)}")
        if levels < 0:
            raise ValueError(f"levels is {levels}, expected 0 or more")
        self.axes, self.levels = tuple(axes), levels
        self.shift = (0,) * len(self.axes) if shift is None else tuple(shift)
        if len(self.shift) != len(self.axes) or len(set(self.axes)) < len(self.axes) or max(self.axes) >= 0:
            raise ValueError(f"axes are {self.axes} and shift {self.shift}, expected negative axes, a shift for each")
        self._low = _FILTERS[wavelet]
        self._high = tuple((-1) ** m * h for m, h in enumerate(reversed(self._low)))

    def forward(self, x: Tensor) -> Tensor:
        """W x."""
        return self._analyse(torch.roll(x, self.shift, self.axes), self.levels)

    def adjoint(self, y: Tensor) -> Tensor:
        """W^H y = W^-1 y."""
        return torch.roll(self._synthesise(y, self.levels), [-s for s in self.shift], self.axes)

    @property
    def gram(self) -> LinearOperator:
        """The identity."""
        return IdentityOp()

    def details(self, x: Tensor) -> Tensor:
        """True (of the shape of x) where W x differs from what is low: high along one axis or more, at any level."""
        detail = torch.zeros(x.shape, dtype=torch.bool, device=x.device)
        for lengths in self._sizes(x):
            inner = detail
            for axis, length in zip(self.axes, lengths, strict=True):
                inner = inner.narrow(axis, 0, length)
            for axis, length in zip(self.axes, lengths, strict=True):
                if length > 1:
                    inner.narrow(axis, length // 2, length // 2).fill_(True)
        return detail

    def _sizes(self, x: Tensor) -> list[list[int]]:
        """Lengths along the axes of what each level is done to."""
        sizes = [[x.shape[axis] for axis in self.axes]]
        for _ in range(self.levels):
            sizes.append([_half(length) for length in sizes[-1]])
        return sizes[:-1]

    def _analyse(self, x: Tensor, levels: int) -> Tensor:
        if levels == 0:
            return x
        for axis in self.axes:
            x = self._split(x, axis)
        low = self._low_part(x)
        return _replace(x, self._analyse(low, levels - 1))

    def _synthesise(self, y: Tensor, levels: int) -> Tensor:
        if levels == 0:
            return y
        x = _replace(y, self._synthesise(self._low_part(y), levels - 1))
        for axis in reversed(self.axes):
            x = self._join(x, axis)
        return x

    def _low_part(self, x: Tensor) -> Tensor:
        for axis in self.axes:
            x = x.narrow(axis, 0, _half(x.shape[axis]))
        return x

    def _split(self, x: Tensor, axis: int) -> Tensor:
        """One level along one axis."""
        half = x.shape[axis] // 2
        if half == 0:
            return x
        pairs = x.narrow(axis, 0, 2 * half).unflatten(axis, (half, 2))
        phases = pairs.unbind(axis)
        low, high = torch.zeros_like(phases[0]), torch.zeros_like(phases[0])
        for m, (h, g) in enumerate(zip(self._low, self._high, strict=True)):
            part = torch.roll(phases[m % 2], -(m // 2), axis)
            low, high = low + h * part, high + g * part
        return torch.cat([low, high, x.narrow(axis, 2 * half, x.shape[axis] - 2 * half)], dim=axis)

    def _join(self, y: Tensor, axis: int) -> Tensor:
        """The adjoint of `_split`."""
        half = y.shape[axis] // 2
        if half == 0:
            return y
        low, high = y.narrow(axis, 0, half), y.narrow(axis, half, half)
        phases = [torch.zeros_like(low), torch.zeros_like(low)]
        for m, (h, g) in enumerate(zip(self._low, self._high, strict=True)):
            phases[m % 2] = phases[m % 2] + torch.roll(h * low + g * high, m // 2, axis)
        x = torch.stack(phases, dim=axis).flatten(axis - 1, axis)
        return torch.cat([x, y.narrow(axis, 2 * half, y.shape[axis] - 2 * half)], dim=axis)


def _half(length: int) -> int:
    """Points that are low after a level: all of a single one."""
    return length // 2 if length > 1 else length


def _replace(x: Tensor, corner: Tensor) -> Tensor:
    """x with `corner` at its beginning."""
    whole = x.clone()
    whole[tuple(slice(length) for length in corner.shape)] = corner
    return whole
