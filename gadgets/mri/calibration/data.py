"""What methods that work on k-space calibrate: calibration data with maps to combine the coils by."""

from __future__ import annotations

import torch
from torch import Tensor

from gadgets.mri.calibration.low_resolution import low_resolution
from gadgets.mri.calibration.region import calibration_region
from gadgets.mri.calibration.walsh import walsh
from gadgets.mri.kspace import KSpace


def calibration_data(reference: KSpace) -> Tensor:
    """Calibration data and maps in one tensor, (*other, 2 coil, ...), on the grid of `reference`.

    The first half of the channels is the fully sampled centre of `reference`, (*other, coil, k2, k1, k0), with zeros
    around it. The second half is csm (*other, coil, z, y, x) from the local covariance of the channels at the
    resolution of that centre: with them, the phase of a combined image is that of `walsh`, and its intensity that of
    the root sum of squares.

    Raises ValueError where the centre of k-space was not sampled.
    Walsh et al., MRM 2000;43:682. doi:10.1002/(sici)1522-2594(200005)43:5<682::aid-mrm10>3.0.co;2-g
    """
    k2, k1, k0 = calibration_region(reference.mask.expand(*reference.other, 1, *reference.matrix))
    data = torch.zeros_like(reference.data)
    data[..., k2, k1, k0] = reference.data[..., k2, k1, k0]
    csm, _ = walsh(low_resolution(reference))
    return torch.cat([data, csm], dim=-4)


def split_calibration(kspace: KSpace, calibration: Tensor, method: str) -> tuple[Tensor, Tensor]:
    """The block (*other, coil, b2, b1, b0) of calibration data, without the zeros around it, and csm.

    Raises ValueError, naming `method`, unless both are of the coils and of the matrix of `kspace` (axes of length 1 in
    `other` broadcast), and where the calibration data are zero.
    """
    given, expected = tuple(calibration.shape), tuple(kspace.data.shape)
    if given[-4:] == expected[-4:]:
        raise ValueError(f"{method} calibrates on k-space, but was given sensitivity maps: leave them out before it")
    own = (*given[:-4], given[-4] // 2, *given[-3:])
    fits = len(own) == len(expected) and own[-4:] == expected[-4:]
    if not fits or any(g not in (1, e) for g, e in zip(own, expected, strict=True)):
        raise ValueError(
            f"the calibration data of {method} have shape {own}, k-space has shape {expected}: "
            "coils and matrix must be the same"
        )
    data, csm = calibration.split(kspace.n_coils, dim=-4)
    places = (data != 0).reshape(-1, *data.shape[-3:]).any(dim=0).nonzero()
    if not len(places):
        raise ValueError(f"the calibration data of {method} are zero")
    (a2, a1, a0), (b2, b1, b0) = places.amin(dim=0).tolist(), (places.amax(dim=0) + 1).tolist()
    return data[..., a2:b2, a1:b1, a0:b0], csm
