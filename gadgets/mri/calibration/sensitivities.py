"""Sensitivities from calibration data."""

from __future__ import annotations

from torch import Tensor

from gadgets.mri.calibration.espirit import espirit
from gadgets.mri.calibration.gridded import gridded
from gadgets.mri.calibration.region import calibration_region
from gadgets.mri.kspace import KSpace

# Sensitivities are smooth: more of the centre of k-space than this per axis adds noise and work, and no detail.
_WIDTH = 32


def sensitivities(reference: KSpace, *, support: float = 0.7) -> Tensor:
    """Maps csm (*other, coil, z, y, x) on the grid of `reference`, from its fully sampled centre, by ESPIRiT.

    The support of the object is where the eigenvalue of the maps is at least `support` (0 to 1; 0 keeps all points):
    where one set of maps explains the coils, whatever the intensity. There sum_coil |csm|^2 = 1, elsewhere the maps are
    0. For their phase see `espirit`. Patches have 6 points per axis, 4 in three dimensions.

    Along a trajectory, the centre is put on the grid first (`gridded`), and maps are on the matrix of the image.

    Raises ValueError for samples that are not finite, and where the centre of k-space was not sampled.
    """
    reference.require_finite()
    if reference.trajectory is not None:
        reference = gridded(reference)
    k2, k1, k0 = (_centre(part) for part in calibration_region(reference.mask))
    block = reference.data[..., k2, k1, k0]
    kernel = 6 if min(block.shape[-3:]) == 1 else 4
    csm, eigenvalues = espirit(block, reference.matrix, kernel=kernel)
    return csm * (eigenvalues >= support)


def _centre(part: slice) -> slice:
    """At most `_WIDTH` points of a part of an axis, about the same centre."""
    length = part.stop - part.start
    start = part.start + length // 2 - min(length, _WIDTH) // 2
    return slice(start, start + min(length, _WIDTH))
