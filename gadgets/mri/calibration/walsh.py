"""Sensitivities from coil images: the adaptive combination."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad

from gadgets.mri.calibration.eigen import fix_phase, principal_vectors, reference_coil

# Points times coils squared that are worked on at once: 16 MB of complex64.
_CHUNK = 1 << 21


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
        _fill(image, reference_coil(image), window, iterations, csm[index], dominance[index, 0])
    return csm.reshape(images.shape), dominance.reshape(*images.shape[:-4], 1, *images.shape[-3:])


def _fill(image: Tensor, reference: Tensor, window: int, iterations: int, csm: Tensor, dominance: Tensor) -> None:
    """Write maps (coil, z, y, x) and dominance (z, y, x) of one image, in chunks of planes or rows."""
    n_coils, nz, ny, nx = image.shape
    half = [window // 2 if length > 1 else 0 for length in (nz, ny, nx)]
    padded = pad(image, [edge for width in reversed(half) for edge in (width, width)])
    planes = min(nz, max(1, _CHUNK // (n_coils**2 * ny * nx)))
    rows = min(ny, max(1, _CHUNK // (n_coils**2 * planes * nx)))
    for z in range(0, nz, planes):
        for y in range(0, ny, rows):
            part = padded[:, z : z + planes + 2 * half[0], y : y + rows + 2 * half[1]]
            vectors, share = principal_vectors(_local_covariance(part, half), iterations)
            there = dominance[z : z + planes, y : y + rows]
            csm[:, z : z + planes, y : y + rows] = fix_phase(vectors, reference).reshape(n_coils, *there.shape)
            there[...] = share.reshape(there.shape)


def _local_covariance(image: Tensor, half: list[int]) -> Tensor:
    """Sum of m m^H over the box around each point, (coil, coil, point), of m (coil, z + ., y + ., x + .)."""
    i, j = torch.tril_indices(len(image), len(image), device=image.device)
    products = image[i] * image[j].conj()
    for axis, width in enumerate(half, start=1):
        length = products.shape[axis] - 2 * width
        total = products.narrow(axis, 0, length).clone()
        for shift in range(1, 2 * width + 1):
            total += products.narrow(axis, shift, length)
        products = total
    flat = products.flatten(1)
    covariance = flat.new_empty((len(image), len(image), flat.shape[1]))
    covariance[j, i] = flat.conj()
    covariance[i, j] = flat
    return covariance
