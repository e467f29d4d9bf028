"""Homodyne detection."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gadgets.mri.calibration.low_resolution import low_resolution
from gadgets.mri.calibration.phase import PartialFourier, low_pass, partial_fourier, unit
from gadgets.mri.calibration.walsh import walsh
from gadgets.mri.fft import ifft
from gadgets.mri.kspace import KSpace
from gadgets.mri.operators.sensitivity import SensitivityOp

# Share of the part that is there on both sides over which weights are 1.
_FLAT = 0.5


@dataclass(frozen=True, kw_only=True)
class Homodyne:
    """x = Re(conj(p) sum_c conj(csm_c) F^-1 w y_c), p the phase of the same image at low resolution.

    image (*other, 1, z, y, x), real (of either sign) but of complex dtype, from Cartesian k-space (*other, coil, k2,
    k1, k0) of which one side is missing in part along one axis. Samples whose mirror image is missing count twice
    (w = 2); towards the end of the part that is there on both sides w rises smoothly, w(k) + w(-k) = 2, which keeps the
    image from ringing. About the centre w = 1: a slope there, as that of a linear ramp over all of the part, makes
    gradients of the phase visible as shading. Complete k-space comes out as it is, without its phase. csm are adaptive
    maps.
    Noll et al., IEEE TMI 1991;10:154. doi:10.1109/42.79473
    """

    def calibrate(self, reference: KSpace) -> Tensor:
        """Maps (*other, coil, z, y, x) from the fully sampled centre of `reference`, for all points of the image."""
        reference.require_cartesian("homodyne")
        reference.require_finite()
        csm, _ = walsh(low_resolution(reference))
        return csm

    def __call__(self, kspace: KSpace, calibration: Tensor) -> Tensor:
        """The image.

        Raises ValueError for a trajectory, samples that are not finite, maps of other shape, samples that are missing
        within the part acquired, as many missing on one side as on the other, and more than one partial axis.
        """
        kspace.require_cartesian("homodyne")
        kspace.require_finite()
        kspace.require_maps(calibration)
        partial = partial_fourier(kspace, "homodyne")
        if len(partial.axes) > 1:
            names = " and ".join(("k2", "k1", "k0")[axis] for axis in partial.axes)
            raise ValueError(f"homodyne takes k-space that is partial along one axis, but this is along {names}")
        combine = SensitivityOp(calibration).H
        image = combine(ifft(_weighted(kspace.data, partial), (-3, -2, -1)))
        phase = unit(combine(ifft(low_pass(kspace.data, partial), (-3, -2, -1))))
        return (phase.conj() * image).real.to(image.dtype)


def _weighted(data: Tensor, partial: PartialFourier) -> Tensor:
    for axis in partial.axes:
        width, length, part = partial.widths[axis], partial.matrix[axis], partial.parts[axis]
        assert width is not None
        # Counted towards the side that is longer.
        sign = 1 if part.stop - 1 - length // 2 > width else -1
        offset = sign * (torch.arange(length, device=data.device) - length // 2)
        beyond = (offset.abs() / (width + 1) - _FLAT).clamp(0, 1 - _FLAT) / (1 - _FLAT)
        weights = (1 + offset.sign() * torch.sin(torch.pi / 2 * beyond).square()).to(data.real.dtype)
        data = data * weights.reshape([-1] + [1] * (2 - axis))
    return data
