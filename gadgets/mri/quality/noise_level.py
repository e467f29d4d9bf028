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
    large; as the least of several, it is too small by the share sqrt(coils / samples). 0 where nothing was acquired.

    1 after noise adjustment. Raises ValueError for k-space that is not Cartesian.
    """
    kspace.require_cartesian("noise_level")
    masks = kspace.mask.expand(*kspace.other, 1, *kspace.matrix).reshape(-1, *kspace.matrix)
    data = kspace.data.reshape(-1, *kspace.data.shape[-4:])
    axes = [(torch.arange(n, device=data.device) - n // 2) / max(1, n // 2) for n in kspace.matrix]
    radius = sum(part**2 for part in torch.meshgrid(*axes, indexing="ij"))
    found = []
    for samples, mask in zip(data, masks, strict=True):
        count = max(1, round(_SHARE * int(mask.sum())))
        far = torch.where(mask, radius, -1).flatten().topk(count).indices
        outer = samples.flatten(1)[:, far]
        _, vectors = torch.linalg.eigh(outer @ outer.mH)
        energy = (vectors[:, 0].conj() @ outer).abs().square().median()
        found.append((energy / (2 * log(2))).sqrt())
    return torch.stack(found).reshape(kspace.other)
