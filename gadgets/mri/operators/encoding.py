"""How the scanner sees an image: coils, Fourier transform, sampling."""

from __future__ import annotations

import torch
from torch import Tensor

from gadgets.mri.kspace import KSpace
from gadgets.mri.operators.fourier import FourierOp
from gadgets.mri.operators.linear_operator import LinearOperator
from gadgets.mri.operators.sampling import SamplingOp
from gadgets.mri.operators.sensitivity import SensitivityOp


class EncodingOp(LinearOperator):
    """P F S: image (*other, set, z, y, x) to sampled Cartesian k-space (*other, coil, k2, k1, k0).

    csm: (*other, set * coil, z, y, x), as for SensitivityOp; mask: (*other, 1, k2, k1, k0) bool. Axes of length 1 in
    `other` broadcast.
    Pruessmann et al., MRM 2001;46:638. doi:10.1002/mrm.1241
    """

    def __init__(self, csm: Tensor, mask: Tensor, sets: int = 1) -> None:
        self.sets = sets
        self._sensitivity, self._mask = SensitivityOp(csm, sets), mask
        self._operator = SamplingOp(mask) @ FourierOp() @ self._sensitivity

    def forward(self, x: Tensor) -> Tensor:
        """P F S x."""
        return self._operator(x)

    def adjoint(self, y: Tensor) -> Tensor:
        """S^H F^H P y."""
        return self._operator.adjoint(y)

    @property
    def gram(self) -> LinearOperator:
        """S^H F^H P F S, without shifts and without transforms along axes that are fully sampled."""
        return _EncodingGram(self._sensitivity, self._mask)

    @property
    def bound(self) -> Tensor:
        """What ||P F S||^2 is at most, per volume (*other, 1, 1, 1, 1): that of S, or 1 without any maps."""
        bound = self._sensitivity.bound
        return torch.where(bound > 0, bound, 1)


class _EncodingGram(LinearOperator):
    """S^H F^H P F S.

    F^H P F is a circular convolution. Along an axis on which the mask is constant, P commutes with F, and F^H F = 1. A
    circular convolution commutes with shifts, so the shifts that centre the image cancel, and those that centre
    k-space are done to the mask, once.
    """

    def __init__(self, sensitivity: SensitivityOp, mask: Tensor) -> None:
        self._sensitivity = sensitivity
        axes = (-3, -2, -1)
        self._axes = tuple(axis for axis in axes if bool((mask != mask.narrow(axis, 0, 1)).any()))
        self._mask = torch.fft.ifftshift(mask, axes) if self._axes else mask

    def forward(self, x: Tensor) -> Tensor:
        coils = self._sensitivity(x)
        if self._axes:
            coils = torch.fft.ifftn(self._mask * torch.fft.fftn(coils, dim=self._axes), dim=self._axes)
        else:
            coils = self._mask * coils
        return self._sensitivity.adjoint(coils)

    def adjoint(self, y: Tensor) -> Tensor:
        return self.forward(y)


def encoding(kspace: KSpace, csm: Tensor) -> EncodingOp:
    """The operator that took `kspace`, given one set of maps or several (*other, set * coil, z, y, x).

    Raises ValueError for k-space with a trajectory, and for maps of other coils or of another matrix.
    """
    kspace.require_cartesian("encoding")
    return EncodingOp(csm, kspace.mask, kspace.sets_of_maps(csm))
