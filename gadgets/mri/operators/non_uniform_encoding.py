"""How the scanner sees an image along a trajectory: coils, Fourier transform, sampling."""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor

from gadgets.mri.operators.linear_operator import LinearOperator
from gadgets.mri.operators.non_uniform_fourier import NonUniformFourierOp
from gadgets.mri.operators.sampling import SamplingOp
from gadgets.mri.operators.sensitivity import SensitivityOp
from gadgets.mri.operators.toeplitz import ToeplitzOp


class NonUniformEncodingOp(LinearOperator):
    """P F S: image (*other, set, z, y, x) to samples (*other, coil, k2, k1, k0) along a trajectory.

    csm: (*other, set * coil, z, y, x), as for SensitivityOp; mask: (*other, 1, k2, k1, k0) bool; trajectory:
    (*other, 3, k2, k1, k0), as for NonUniformFourierOp. Axes of length 1 in `other` broadcast.
    Pruessmann et al., MRM 2001;46:638. doi:10.1002/mrm.1241
    """

    def __init__(self, csm: Tensor, mask: Tensor, trajectory: Tensor, sets: int = 1) -> None:
        self.sets = sets
        self._sensitivity, self._mask = SensitivityOp(csm, sets), mask
        self._fourier = NonUniformFourierOp(trajectory, csm.shape[-3:])
        self._operator = SamplingOp(mask) @ self._fourier @ self._sensitivity

    def forward(self, x: Tensor) -> Tensor:
        """P F S x."""
        return self._operator(x)

    def adjoint(self, y: Tensor) -> Tensor:
        """S^H F^H P y."""
        return self._operator.adjoint(y)

    @cached_property
    def _convolution(self) -> ToeplitzOp:
        return self._fourier.weighted_gram(self._mask.to(self._sensitivity.csm.real.dtype))

    @property
    def gram(self) -> LinearOperator:
        """S^H F^H P F S, F^H P F as a convolution whose kernel is computed once."""
        return self._sensitivity.H @ self._convolution @ self._sensitivity

    @property
    def bound(self) -> Tensor:
        """What ||P F S||^2 is at most, per volume (*other, 1, 1, 1, 1): ||F^H P F|| ||S||^2, or 1 without any maps."""
        bound = self._convolution.bound * self._sensitivity.bound
        return torch.where(bound > 0, bound, 1)
