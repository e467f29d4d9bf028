"""Sensitivities from coil images, with the phase of the object: Inati's coil maps."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from gadgets.mri.calibration.eigen import normalised
from gadgets.mri.calibration.local_covariance import neighbourhoods


def inati(
    images: Tensor, *, kernel: int | Sequence[int] = 7, iterations: int = 3, as_gadgetron: bool = False
) -> Tensor:
    """Maps (*other, coil, z, y, x) from coil images of the same shape, which should be of low resolution.

    Around each point, the coil images m in a box of `kernel` points per axis (odd; one number, or those along z, y, x)
    are taken for one map times values of the image. That map is the principal vector of R = sum m m^H, found by power
    `iterations` from the mean of m, s. Axes of length 1 have no neighbours. sum_coil |csm|^2 = 1 at every point, with
    signal or without (0 where s is 0).

    The phase is such that s^H csm = s^H R^n s / |R^n s| is real and positive, with no coil for reference: where the
    phase of the object is smooth it goes into the maps, and the image that they combine is real and positive but for
    what changes within a box. Maps of `walsh`, whose phase is that of a virtual coil, have singularities where that
    coil sees nothing; these have none as long as signals in a box do not cancel in all coils.

    `as_gadgetron`: begin with conj(s), take the opposite edge of the image for what is beyond its edges, and set the
    phase at the end. It changes maps where no vector stands out, in noise and at the edges; images that are to agree
    with Gadgetron's in their background need it.

    Raises ValueError for a kernel that is not odd, and for fewer than 1 iteration.

    Inati, Hansen and Kellman, A solution to the phase problem in adaptive coil combination. Proc ISMRM 2013;21:2672.
    After Walsh et al., MRM 2000;43:682.
    doi:10.1002/(sici)1522-2594(200005)43:5<682::aid-mrm10>3.0.co;2-g
    """
    window = (kernel, kernel, kernel) if isinstance(kernel, int) else tuple(kernel)
    if len(window) != 3 or any(width % 2 == 0 or width < 1 for width in window):
        raise ValueError(f"kernel is {kernel}, expected an odd number, or three of them along (z, y, x)")
    if iterations < 1:
        raise ValueError(f"iterations is {iterations}, expected 1 or more")
    flat = images.reshape(-1, *images.shape[-4:])
    # Directions do not change with scale, and squares of small intensities would be lost in single precision.
    peak = flat.abs().amax(dim=(-4, -3, -2, -1), keepdim=True)
    flat = flat / torch.where(peak > 0, peak, 1)
    csm = torch.empty_like(flat)
    for index, image in enumerate(flat):
        for (z, y), covariance, total in neighbourhoods(image, window, periodic=as_gadgetron):
            vectors, _ = normalised(total.conj() if as_gadgetron else total)
            for _ in range(iterations):
                vectors, _ = normalised((covariance * vectors).sum(dim=1))
            if as_gadgetron:
                overlap = (total.conj() * vectors).sum(dim=0)
                vectors = vectors * torch.exp(-1j * overlap.angle())
            there = csm[index, :, z, y]
            csm[index, :, z, y] = vectors.reshape(there.shape)
    return csm.reshape(images.shape)
