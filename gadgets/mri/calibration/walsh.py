"""Sensitivities from coil images: the adaptive combination."""

from __future__ import annotations

import torch
from torch import Tensor

from gadgets.mri.calibration.eigen import fix_phase, principal_vectors, reference_coil
from gadgets.mri.calibration.local_covariance import neighbourhoods


def walsh(images: Tensor, *, window: int = 5, iterations: int = 6) -> tuple[Tensor, Tensor]:
    """Maps (*other, coil, z, y, x) from coil images of the same shape, and their dominance (*other, 1, z, y, x).

    At each point, the map is the eigenvector of the largest eigenvalue of the channels' covariance in the box of
    `window` points (odd) per axis around it; axes of length 1 have no neighbours. Noise is assumed white. The maps have
    sum_coil |csm|^2 = 1 at every point, with signal or without (0 where an image is exactly 0 all around).

    Dominance is that eigenvalue's share of all: 1 where there is one source of signal, towards 1 / coils where there is
    noise alone (more with a small window).

    The phase is such that sum_c conj(u_c) csm_c is real and not negative, u being the principal component of the
    channels over the whole image: the image that the maps combine has the phase of that virtual coil.

    Raises ValueError for an even window. Walsh et al., MRM 2000;43:682.
    doi:10.1002/(sici)1522-2594(200005)43:5<682::aid-mrm10>3.0.co;2-g
    """
    if window % 2 == 0 or window < 1:
        raise ValueError(f"window is {window}, expected an odd number")
    flat = images.reshape(-1, *images.shape[-4:])
    # Eigenvectors do not change with scale, and squares of small intensities would be lost in single precision.
    peak = flat.abs().amax(dim=(-4, -3, -2, -1), keepdim=True)
    flat = flat / torch.where(peak > 0, peak, 1)
    csm, dominance = torch.empty_like(flat), torch.empty_like(flat[:, :1].real)
    for index, image in enumerate(flat):
        reference = reference_coil(image)
        for (z, y), covariance, _ in neighbourhoods(image, (window, window, window)):
            vectors, share = principal_vectors(covariance, iterations)
            there = dominance[index, 0, z, y]
            csm[index, :, z, y] = fix_phase(vectors, reference).reshape(-1, *there.shape)
            there[...] = share.reshape(there.shape)
    return csm.reshape(images.shape), dominance.reshape(*images.shape[:-4], 1, *images.shape[-3:])
