"""How the scanner sees an image: coils, Fourier transform, sampling."""

from __future__ import annotations

import math
from functools import reduce

import torch
from torch import Tensor

from gadgets.mri.kspace import KSpace
from gadgets.mri.operators.fourier import FourierOp
from gadgets.mri.operators.linear_operator import LinearOperator
from gadgets.mri.operators.non_uniform_encoding import NonUniformEncodingOp
from gadgets.mri.operators.sampling import SamplingOp
from gadgets.mri.operators.sensitivity import SensitivityOp

_SPACE = (-3, -2, -1)
# Bytes of coil images that a processor works on at a time.
_CACHE = 1 << 22


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
    k-space are done to the mask, once. The axes that are left are put last, where transforms are fastest. On a
    processor, coils are taken a few at a time, so that what is between two steps stays in the cache.
    """

    def __init__(self, sensitivity: SensitivityOp, mask: Tensor) -> None:
        # One look at the device for all three.
        varies = torch.stack([(mask != mask.narrow(axis, 0, 1)).any() for axis in _SPACE]).tolist()
        self._order = sorted(_SPACE, key=lambda axis: (varies[axis], axis))
        self._axes = _SPACE[len(_SPACE) - sum(varies) :]
        csm, moved = (x.movedim(self._order, _SPACE).contiguous() for x in (sensitivity.csm, mask))
        self._mask = torch.fft.ifftshift(moved, self._axes) if self._axes else moved
        volumes = math.prod(torch.broadcast_shapes(csm.shape[:-4], mask.shape[:-4]))
        image = volumes * math.prod(csm.shape[-3:]) * csm.element_size()
        coils = max(1, _CACHE // max(1, image)) if csm.device.type == "cpu" else csm.shape[-4]
        self._parts = SensitivityOp(csm, sensitivity.sets).split(coils)

    def forward(self, x: Tensor) -> Tensor:
        moved = x.movedim(self._order, _SPACE).contiguous()
        return reduce(torch.add, (self._gram(part, moved) for part in self._parts)).movedim(_SPACE, self._order)

    def _gram(self, sensitivity: SensitivityOp, x: Tensor) -> Tensor:
        """What some of the coils contribute."""
        coils = sensitivity(x)
        if self._axes:
            coils = torch.fft.ifftn(self._mask * torch.fft.fftn(coils, dim=self._axes), dim=self._axes)
        else:
            coils = self._mask * coils
        return sensitivity.adjoint(coils)

    def adjoint(self, y: Tensor) -> Tensor:
        return self.forward(y)


def encoding(kspace: KSpace, csm: Tensor) -> EncodingOp | NonUniformEncodingOp:
    """The operator that took `kspace`, given one set of maps or several (*other, set * coil, z, y, x).

    Raises ValueError for maps of other coils or of another matrix than the image's.
    """
    sets = kspace.sets_of_maps(csm)
    if kspace.trajectory is None:
        return EncodingOp(csm, kspace.mask, sets)
    return NonUniformEncodingOp(csm, kspace.mask, kspace.trajectory, sets)
