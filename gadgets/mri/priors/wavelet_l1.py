"""Sparsity of wavelet coefficients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from gadgets.mri.operators.wavelet import WaveletOp
from gadgets.mri.priors.l1 import L1


@dataclass(frozen=True, kw_only=True, eq=False)
class WaveletL1:
    """g(x) = sum_i weight |(W x)_i| over the details i, W the orthogonal wavelet transform of the last three axes.

    x: (..., z, y, x). What is low at the last level has no cost: images are not sparse there, and would be darkened.
    `weight`: a number, or a tensor that broadcasts against x, of length 1 along the last three axes. The prox is
    W^H soft(W x). Blocks begin at `shift` (z, y, x); with a `generator`, each prox draws a shift of its own in its
    place, so that over the iterations of a solver the image is treated alike at all places.
    Coifman and Donoho, Wavelets and Statistics 1995:125. doi:10.1007/978-1-4612-2544-7_9
    Figueiredo and Nowak, IEEE TIP 2003;12:906. doi:10.1109/TIP.2003.814255
    """

    weight: float | Tensor = 1.0
    levels: int = 3
    wavelet: Literal["haar", "daubechies4"] = "daubechies4"
    shift: Sequence[int] = (0, 0, 0)
    generator: torch.Generator | None = None

    def value(self, x: Tensor) -> Tensor:
        """sum_i weight |(W x)_i|, with the blocks that begin at `shift`."""
        operator = self._operator(self.shift)
        return self._sparsity(operator, x).value(operator(x))

    def prox(self, x: Tensor, step: float | Tensor) -> Tensor:
        """W^H soft(W x)."""
        operator = self._operator(self.shift if self.generator is None else self._draw(self.generator))
        return operator.H(self._sparsity(operator, x).prox(operator(x), step))

    def _draw(self, generator: torch.Generator) -> list[int]:
        """A shift for each axis, drawn beside the device, so that nothing waits for it."""
        return [int(torch.randint(2**self.levels, (), generator=generator)) for _ in range(3)]

    def _operator(self, shift: Sequence[int]) -> WaveletOp:
        return WaveletOp((-3, -2, -1), levels=self.levels, wavelet=self.wavelet, shift=shift)

    def _sparsity(self, operator: WaveletOp, x: Tensor) -> L1:
        return L1(weight=self.weight * operator.details(x).to(x.real.dtype))
