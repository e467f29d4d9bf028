"""Calibration data as they pass from `calibrate` to the call of a method that works on k-space."""

from __future__ import annotations

import torch
from torch import Tensor

from gadgets.mri.calibration.low_resolution import low_resolution
from gadgets.mri.calibration.region import calibration_region
from gadgets.mri.calibration.walsh import walsh
from gadgets.mri.kspace import KSpace
from gadgets.mri.operators.sensitivity import SensitivityOp


def calibration_data(reference: KSpace) -> Tensor:
    """The fully sampled centre of `reference` on its grid, (*other, coil, k2, k1, k0), and zeros around it.

    Raises ValueError where the centre of k-space was not sampled.
    """
    k2, k1, k0 = calibration_region(reference.mask)
    data = torch.zeros_like(reference.data)
    data[..., k2, k1, k0] = reference.data[..., k2, k1, k0]
    return data


def calibration_block(calibration: Tensor) -> Tensor:
    """The part (*other, coil, k2, k1, k0) of calibration data that is not zero: the smallest box that holds it.

    Raises ValueError where there are none.
    """
    there = (calibration != 0).reshape(-1, *calibration.shape[-3:]).any(dim=0)
    if not there.any():
        raise ValueError("the calibration data are zero")
    places = there.nonzero()
    (a2, a1, a0), (b2, b1, b0) = places.amin(dim=0).tolist(), (places.amax(dim=0) + 1).tolist()
    return calibration[..., a2:b2, a1:b1, a0:b0]


def require_calibration_data(kspace: KSpace, calibration: Tensor, method: str) -> None:
    """Raise ValueError unless `calibration` is k-space of the same coils and matrix; axes of 1 in `other` broadcast.

    Sensitivity maps have that shape too, but squares that sum to 1 or 0 at every point, which k-space has not.
    """
    given, expected = tuple(calibration.shape), tuple(kspace.data.shape)
    fits = len(given) == len(expected) and given[-4:] == expected[-4:]
    if not fits or any(g not in (1, e) for g, e in zip(given, expected, strict=True)):
        raise ValueError(
            f"the calibration data of {method} have shape {given}, k-space has shape {expected}: "
            "coils and matrix must be the same"
        )
    energy = calibration.abs().square().sum(dim=-4)
    if bool((((energy - 1).abs() < 1e-3) | (energy == 0)).all()) and bool((energy > 0).any()):
        raise ValueError(f"{method} calibrates on k-space, but was given sensitivity maps: leave them out before it")


def combine(images: Tensor, calibration: Tensor) -> Tensor:
    """Coil images (*other, coil, z, y, x) to one, (*other, 1, z, y, x), with maps from calibration data.

    x = sum_c conj(csm_c) x_c, csm from the local covariance of the channels at the resolution of the calibration data:
    the phase of the image is that of `walsh`, and the intensity that of the root sum of squares.
    Walsh et al., MRM 2000;43:682. doi:10.1002/(sici)1522-2594(200005)43:5<682::aid-mrm10>3.0.co;2-g
    """
    there = (calibration != 0).reshape(-1, *calibration.shape[-3:]).any(dim=0)
    # Samples that are zero by chance would break the region apart: every point of the box counts.
    box = there.any(2, keepdim=True) & there.any(1, keepdim=True) & there.any(1, keepdim=True).any(0, keepdim=True)
    mask = box.reshape(*[1] * (calibration.ndim - 3), *box.shape)
    csm, _ = walsh(low_resolution(KSpace(data=calibration, mask=mask)))
    return SensitivityOp(csm).H(images)
