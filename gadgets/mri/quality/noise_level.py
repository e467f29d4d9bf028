"""How much noise is in k-space."""

from __future__ import annotations

from math import log

import torch
from torch import Tensor

from gadgets.mri.kspace import KSpace

# Of the samples, those farthest from the centre: as many hold little signal, and enough to tell channels apart.
_SHARE = 0.1


def noise_level(kspace: KSpace) -> Tensor:
    """Standard deviation of the noise in the real part of a sample, for each element of `other`, about.

    From the tenth of the samples that lies farthest from the centre of k-space: of the channels' principal components
    there, the one of least energy has the least signal. Its energy is taken from the median, which few strong samples
    do not move: sigma^2 = median |s|^2 / (2 log 2). Where all channels have signal up to the corners, that is too
    large. Among the samples that it was found in, the least of several is too small: it is found in every second of
    them and taken from the others, and the other way round. 0 where nothing was acquired.

    1 after noise adjustment.
    """
    masks = kspace.mask.expand(*kspace.other, 1, *kspace.matrix).reshape(-1, *kspace.matrix)
    data = kspace.data.reshape(-1, *kspace.data.shape[-4:])
    radii = _radii(kspace).reshape(-1, *kspace.matrix)
    found = []
    for samples, mask, radius in zip(data, masks, radii, strict=True):
        count = max(1, round(_SHARE * int(mask.sum())))
        far = torch.where(mask, radius, -1).flatten().topk(count).indices
        outer = samples.flatten(1)[:, far]
        one, other = (outer[:, ::2], outer[:, 1::2]) if count > 1 else (outer, outer)
        least = torch.cat([_least(one) @ other, _least(other) @ one])
        found.append((least.abs().square().median() / (2 * log(2))).sqrt())
    return torch.stack(found).reshape(kspace.other)


def _least(samples: Tensor) -> Tensor:
    """The weights (coil) of the principal component of least energy."""
    return torch.linalg.eigh(samples @ samples.mH).eigenvectors[:, 0].conj()


def _radii(kspace: KSpace) -> Tensor:
    """How far samples are from the centre, squared, (*other, 1, k2, k1, k0): the end of each axis is 1 apart."""
    ends = [max(1, length // 2) for length in kspace.image_matrix]
    if kspace.trajectory is None:
        axes = [
            (torch.arange(n, device=kspace.data.device) - n // 2) / end
            for n, end in zip(kspace.matrix, ends, strict=True)
        ]
        radius = torch.stack(torch.meshgrid(*axes, indexing="ij")).square().sum(dim=0)
    else:
        scale = torch.tensor(ends, device=kspace.data.device)[:, None, None, None]
        radius = (kspace.trajectory / scale).square().sum(dim=-4, keepdim=True)
    return radius.expand(*kspace.other, 1, *kspace.matrix)
