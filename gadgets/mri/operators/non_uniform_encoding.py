"""How the scanner sees an image along a trajectory: coils, Fourier transform, sampling."""

from __future__ import annotations

import math
from functools import cached_property, reduce

import torch
from torch import Tensor

from gadgets.mri.operators.linear_operator import LinearOperator
from gadgets.mri.operators.non_uniform_fourier import NonUniformFourierOp
from gadgets.mri.operators.sensitivity import SensitivityOp
from gadgets.mri.operators.toeplitz import ToeplitzOp

# Coils are convolved a few at a time, with no more bytes than this (of images padded to twice their length) on the way.
_AT_ONCE = 1 << 26


class NonUniformEncodingOp(LinearOperator):
    """P F S: image (*other, set, z, y, x) to samples (*other, coil, k2, k1, k0) along a trajectory.

    csm: (*other, set * coil, z, y, x), as for SensitivityOp; weights P: (*other, 1, k2, k1, k0), bool for what was
    sampled, or real numbers to multiply the samples by; trajectory: (*other, 3, k2, k1, k0), as for
    NonUniformFourierOp. Axes of length 1 in `other` broadcast.
    Pruessmann et al., MRM 2001;46:638. doi:10.1002/mrm.1241
    """

    def __init__(self, csm: Tensor, weights: Tensor, trajectory: Tensor, sets: int = 1) -> None:
        self.sets = sets
        self._sensitivity, self._weights = SensitivityOp(csm, sets), weights.to(csm.real.dtype)
        self._fourier = NonUniformFourierOp(trajectory, csm.shape[-3:])

    def forward(self, x: Tensor) -> Tensor:
        """P F S x."""
        return self._weights * self._fourier(self._sensitivity(x))

    def adjoint(self, y: Tensor) -> Tensor:
        """S^H F^H P y."""
        return self._sensitivity.adjoint(self._fourier.adjoint(self._weights * y))

    @cached_property
    def convolution(self) -> ToeplitzOp:
        """F^H P^2 F, what the gram does to each coil's image."""
        return self._fourier.weighted_gram(self._weights.square())

    @property
    def gram(self) -> LinearOperator:
        """S^H F^H P^2 F S, F^H P^2 F as a convolution whose kernel is computed once."""
        return _Gram(self._sensitivity, self.convolution)

    @property
    def bound(self) -> Tensor:
        """What ||P F S||^2 is at most, per volume (*other, 1, 1, 1, 1): ||P F||^2 ||S||^2, or 1 without any maps."""
        bound = self.convolution.bound * self._sensitivity.bound
        return torch.where(bound > 0, bound, 1)


class _Gram(LinearOperator):
    def __init__(self, sensitivity: SensitivityOp, convolution: ToeplitzOp) -> None:
        self._sensitivity, self._convolution = sensitivity, convolution

    def forward(self, x: Tensor) -> Tensor:
        padded = math.prod(x.shape[:-4]) * self._convolution.points * x.element_size()
        parts = self._sensitivity.split(max(1, _AT_ONCE // padded))
        return reduce(torch.add, (part.adjoint(self._convolution(part(x))) for part in parts))

    def adjoint(self, y: Tensor) -> Tensor:
        return self.forward(y)
