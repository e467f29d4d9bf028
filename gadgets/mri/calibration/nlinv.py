"""Image and sensitivities together, by regularised nonlinear inversion."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gadgets.mri.calibration.sampling import require_neighbours
from gadgets.mri.fft import ifft
from gadgets.mri.kspace import KSpace
from gadgets.mri.operators.fourier import FourierOp
from gadgets.mri.operators.joint_encoding import JointEncodingOp
from gadgets.mri.operators.sampling import SamplingOp
from gadgets.mri.operators.smooth_maps import SmoothMapsOp
from gadgets.mri.solvers.irgnm import irgnm

# Where conjugate gradients end decides how much of what the data hardly determine is in the result; here they are so
# near to their end that rounding does not.
_INNER_TOLERANCE = 1e-3
_ITERATIONS, _REGULARISATION, _REDUCTION, _SMOOTHNESS = 12, 1.0, 0.5, 10.0
# Points of the centre of k-space, per axis, that maps are found by: in a plane, and in a volume.
_WIDTHS = 64, 32


def nlinv(
    kspace: KSpace,
    *,
    iterations: int = _ITERATIONS,
    regularisation: float = _REGULARISATION,
    reduction: float = _REDUCTION,
    smoothness: float = _SMOOTHNESS,
) -> tuple[Tensor, Tensor]:
    """Maps (*other, coil, z, y, x) and image (*other, 1, z, y, x) from Cartesian k-space, calibrated or not.

    The image m and coefficients a of smooth maps W a (`SmoothMapsOp`, with its `smoothness` in cycles per field of
    view) fulfil P F (m * W a) = y, found by the iteratively regularised Gauss-Newton method from m = 1, a = 0:

        min ||P F (m * W a) - y||^2 + alpha (||m - 1||^2 + ||a||^2),  y with a mean square of 1 per point of the grid,

    alpha falling from `regularisation` by `reduction` in each of `iterations`. Fewer iterations leave less noise and
    more of the aliasing. The maps need no region of calibration, but something must tell an image from its aliases: a
    few lines about the centre of k-space, or sampling that is not regular.

    In the result, sum_coil |csm|^2 = 1 at every point, with signal or without: maps go on smoothly beyond the object,
    where they mean less and less. As the image began without phase, slow changes of the object's phase are in the maps,
    and the rest is in the image.

    Raises ValueError for a trajectory, for samples that are not finite, for every so many lines alone, and for settings
    out of range.

    Uecker, Hohage, Block and Frahm, MRM 2008;60:674. doi:10.1002/mrm.21691
    Ying and Sheng, MRM 2007;57:1196. doi:10.1002/mrm.21245
    """
    found = _solve(kspace, iterations, regularisation, reduction, smoothness)
    csm, brightness = _normalised(found.maps(found.coefficients))
    return csm, found.image * brightness * found.size


def nlinv_maps(kspace: KSpace) -> Tensor:
    """The maps of `nlinv` alone (*other, coil, z, y, x), from the centre of k-space.

    That is 64 points per axis at most, in three dimensions 32. Maps have no details that the rest would be needed for,
    and an image of low resolution takes less time. Raises ValueError as `nlinv` does, and where nothing was sampled.
    """
    kspace.require_cartesian("nlinv")
    kspace.require_finite()
    mask = kspace.mask.expand(*kspace.mask.shape[:-3], *kspace.matrix)
    width = _WIDTHS[0] if min(kspace.matrix) == 1 else _WIDTHS[1]
    centre = KSpace(data=_centre(kspace.data, width), mask=_centre(mask, width))
    if not bool(centre.mask.any()):
        raise ValueError("no sample of the centre of k-space was acquired: there is nothing to find maps by")
    found = _solve(centre, _ITERATIONS, _REGULARISATION, _REDUCTION, _SMOOTHNESS)
    return _normalised(SmoothMapsOp(kspace.matrix, _SMOOTHNESS, kspace.data)(found.coefficients))[0]


@dataclass(frozen=True, kw_only=True)
class _Solution:
    """The image, coefficients of maps and their operator, for data divided by `size`."""

    image: Tensor
    coefficients: Tensor
    maps: SmoothMapsOp
    size: Tensor


def _solve(kspace: KSpace, iterations: int, regularisation: float, reduction: float, smoothness: float) -> _Solution:
    kspace.require_cartesian("nlinv")
    kspace.require_finite()
    require_neighbours(kspace, "nlinv")
    data, mask, matrix = kspace.data, kspace.mask, kspace.matrix
    # Along axes on which the mask is constant, sampling commutes with the transform, which is then done once.
    constant = [axis for axis in (-3, -2, -1) if bool((mask == mask.narrow(axis, 0, 1)).all())]
    varied = [axis for axis in (-3, -2, -1) if axis not in constant]
    acquisition = SamplingOp(mask) @ FourierOp(varied) if varied else SamplingOp(mask)
    size = data.abs().square().sum(dim=(-4, -3, -2, -1), keepdim=True)
    size = (torch.where(size > 0, size, 1) / torch.Size(matrix).numel()).sqrt()
    maps = SmoothMapsOp(matrix, smoothness, data)
    joint = JointEncodingOp(acquisition, maps, n_coils=kspace.n_coils, matrix=matrix)
    start = joint.pack(
        data.new_ones((*kspace.other, 1, *matrix)),
        data.new_zeros((*kspace.other, kspace.n_coils, *maps.coefficients)),
    )
    y = mask * (ifft(data, constant) if constant else data) / size
    found = irgnm(
        joint,
        y,
        start,
        iterations=iterations,
        regularisation=regularisation,
        reduction=reduction,
        inner_tolerance=_INNER_TOLERANCE,
        batch_dims=range(len(kspace.other)),
    )
    image, coefficients = joint.unpack(found.x)
    return _Solution(image=image, coefficients=coefficients, maps=maps, size=size)


def _normalised(maps: Tensor) -> tuple[Tensor, Tensor]:
    """Maps whose squares sum to one, and what they were divided by (*other, 1, z, y, x)."""
    brightness = torch.linalg.vector_norm(maps, dim=-4, keepdim=True)
    return maps / torch.where(brightness > 0, brightness, 1), brightness


def _centre(x: Tensor, width: int) -> Tensor:
    """At most `width` points of the last three axes, about the same centre."""
    for axis in (-3, -2, -1):
        length = min(x.shape[axis], width)
        x = x.narrow(axis, x.shape[axis] // 2 - length // 2, length)
    return x
