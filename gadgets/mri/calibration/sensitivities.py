"""Sensitivities from calibration data."""

from __future__ import annotations

from torch import Tensor

from gadgets.mri.calibration.espirit import espirit
from gadgets.mri.calibration.gridded import gridded
from gadgets.mri.calibration.low_resolution import low_resolution
from gadgets.mri.calibration.region import calibration_region
from gadgets.mri.kspace import KSpace

# Sensitivities are smooth: more of the centre of k-space than this per axis adds noise and work, and no detail.
_WIDTH = 32

# Singular values that count, of the largest. Errors of a centre that was put on the grid are no noise, and so not below
# its edge.
_THRESHOLD, _THRESHOLD_GRIDDED = 0.01, 0.02

# What maps from few lines must leave of an object: this share of the energy of points brighter than this, of the
# brightest one. What lies outside of the support ends up in the wrong place: where 0.1 to 0.8 % did, of a phantom with
# random lines and R = 4, least squares lost 10 dB and more.
_HELD, _BRIGHT = 0.999, 0.2
_LEAST_KERNEL = 3


def sensitivities(reference: KSpace, *, support: float = 0.8, sets: int = 1, soft: bool = False) -> Tensor:
    """Maps csm (*other, set * coil, z, y, x) on the grid of `reference`, from its fully sampled centre, by ESPIRiT.

    The support of a set is where the eigenvalue of its maps is at least `support` (0 to 1; 0 keeps all points): where
    so many sets of maps explain the coils, whatever the intensity. There sum_coil |csm|^2 = 1, elsewhere the maps are
    0. One set is what an object within the field of view needs; two, one that is larger and folds onto itself once.

    `soft`: maps fade out instead of ending. They are multiplied with 3 u^2 - 2 u^3, which rises smoothly with the
    eigenvalue from 0 to 1, u = 0 where that is `support` and u = 1 where it is 1: where a set explains the coils in
    part only, as at the border of what folds, a penalty of the image then costs more than where it explains all.

    For the phase of the maps see `espirit`. Patches have 6 points per axis, 4 in three dimensions. Where the centre is
    less than twice as wide along an axis, there may be too few of them to explain the object, and the support has holes
    in it: they are smaller then, 3 points at least, as long as the image of low resolution says so. Along a trajectory,
    the centre is put on the grid first (`gridded`), and maps are on the matrix of the image.

    Raises ValueError for samples that are not finite, where the centre of k-space was not sampled, for `sets` below 1
    or above the number of channels, and for soft maps with a support of 1.
    """
    reference.require_finite()
    if soft and not support < 1:
        raise ValueError(f"support is {support}, expected less than 1 for soft maps")
    threshold = _THRESHOLD if reference.trajectory is None else _THRESHOLD_GRIDDED
    if reference.trajectory is not None:
        reference = gridded(reference)
    k2, k1, k0 = (_centre(part) for part in calibration_region(reference.mask))
    block = reference.data[..., k2, k1, k0]
    kernel = 6 if min(block.shape[-3:]) == 1 else 4
    csm, eigenvalues = espirit(block, reference.matrix, sets=sets, kernel=kernel, threshold=threshold)
    if any(1 < length < 2 * kernel for length in block.shape[-3:]):
        image = low_resolution(reference).abs().square().sum(dim=-4, keepdim=True)
        while kernel > _LEAST_KERNEL and _held(image, eigenvalues, support) < _HELD:
            kernel -= 1
            csm, eigenvalues = espirit(block, reference.matrix, sets=sets, kernel=kernel, threshold=threshold)
    if soft:
        u = ((eigenvalues - support) / (1 - support)).clamp(0, 1)
        weight = u * u * (3 - 2 * u)
    else:
        weight = (eigenvalues >= support).to(eigenvalues.dtype)
    return csm * weight.repeat_interleave(reference.n_coils, dim=-4)


def _held(energy: Tensor, eigenvalues: Tensor, support: float) -> float:
    """The share of the energy (*other, 1, z, y, x) of bright points that is in the support of the first set."""
    bright = energy * (energy > _BRIGHT**2 * energy.amax())
    total = float(bright.sum())
    return float((bright * (eigenvalues[..., :1, :, :, :] >= support)).sum()) / total if total else 1.0


def _centre(part: slice) -> slice:
    """At most `_WIDTH` points of a part of an axis, about the same centre."""
    length = part.stop - part.start
    start = part.start + length // 2 - min(length, _WIDTH) // 2
    return slice(start, start + min(length, _WIDTH))
