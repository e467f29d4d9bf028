"""Sparsity of wavelet coefficients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Literal

import torch
from torch import Tensor

from gadgets.mri.operators.wavelet import WaveletOp
from gadgets.mri.priors.l1 import L1


class Moves:
    """Shifts (z, y, x) of wavelets' blocks, at random but in cycles of 2^levels with each shift of an axis once.

    The mean of a cycle strays less from the mean of all shifts than that of as many independent ones, and so does the
    iterate of a solver that takes one after the other from the minimum.
    Bertsekas, Math Program 2011;129:163. doi:10.1007/s10107-011-0472-0
    """

    def __init__(self, levels: int, generator: torch.Generator) -> None:
        self._levels, self._generator = levels, generator
        self._left: list[tuple[int, ...]] = []

    def draw(self) -> tuple[int, ...]:
        """The next shift."""
        if not self._left:
            self._left = self.cycle()
        return self._left.pop()

    def cycle(self) -> list[tuple[int, ...]]:
        """A whole new cycle, drawn beside the device, so that nothing waits for it."""
        axes = (torch.randperm(2**self._levels, generator=self._generator).tolist() for _ in range(3))
        return list(zip(*axes, strict=True))


@dataclass(frozen=True, kw_only=True, eq=False)
class WaveletL1:
    """g(x) = sum_i weight |(W x)_i| over the details i, W the orthogonal wavelet transform of the last three axes.

    x: (..., z, y, x). What is low at the last level has no cost: images are not sparse there, and would be darkened.
    `weight`: a number, or a tensor that broadcasts against x, of length 1 along the last three axes. The prox is
    W^H soft(W x). Blocks begin at `shift` (z, y, x); with `moves`, each prox draws the next one in its place, so that
    over the iterations of a solver the image is treated alike at all places.
    Coifman and Donoho, Wavelets and Statistics 1995:125. doi:10.1007/978-1-4612-2544-7_9
    Figueiredo and Nowak, IEEE TIP 2003;12:906. doi:10.1109/TIP.2003.814255
    """

    weight: float | Tensor = 1.0
    levels: int = 3
    wavelet: Literal["haar", "daubechies4"] = "daubechies4"
    shift: Sequence[int] = (0, 0, 0)
    moves: Moves | None = None

    def value(self, x: Tensor) -> Tensor:
        """sum_i weight |(W x)_i|, with the blocks that begin at `shift`."""
        operator = self._operator(self.shift)
        return self._sparsity(operator, x).value(operator(x))

    def prox(self, x: Tensor, step: float | Tensor) -> Tensor:
        """W^H soft(W x)."""
        return self._prox(self.shift if self.moves is None else self.moves.draw(), x, step)

    def mean_prox(self, x: Tensor, step: float | Tensor) -> Tensor:
        """The mean of the prox over one whole cycle of shifts; without `moves` it is the prox.

        It is the prox of the shifts' proximal average, a lower bound of their mean that comes near it for small steps.
        Bauschke, Goebel, Lucet and Wang, SIAM J Optim 2008;19:766. doi:10.1137/070687542
        """
        if self.moves is None:
            return self.prox(x, step)
        cycle = self.moves.cycle()
        return reduce(torch.add, (self._prox(shift, x, step) for shift in cycle)) / len(cycle)

    def _prox(self, shift: Sequence[int], x: Tensor, step: float | Tensor) -> Tensor:
        operator = self._operator(shift)
        return operator.H(self._sparsity(operator, x).prox(operator(x), step))

    def _operator(self, shift: Sequence[int]) -> WaveletOp:
        return WaveletOp((-3, -2, -1), levels=self.levels, wavelet=self.wavelet, shift=shift)

    def _sparsity(self, operator: WaveletOp, x: Tensor) -> L1:
        return L1(weight=self.weight * operator.details(x).to(x.real.dtype))
