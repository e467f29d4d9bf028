"""What the frames of a series have sampled together."""

from __future__ import annotations

from torch import Tensor

from gadgets.mri.kspace import KSpace


def time_average(kspace: KSpace) -> KSpace:
    """K-space (*other, 1, coil, k2, k1, k0) of a series (*other, time, coil, k2, k1, k0): each point the mean over the
    frames that sampled it or, along trajectories, the readouts of all frames after one another, (*other, 1, coil, k2,
    time * k1, k0). Without an axis before the coils it stays as it is.

    Frames that sample different places make a calibration region together that none of them has.
    Walsh et al., MRM 2000;43:682. doi:10.1002/(sici)1522-2594(200005)43:5<682::aid-mrm10>3.0.co;2-g
    """
    if not kspace.other:
        return kspace
    if kspace.trajectory is not None:
        return KSpace(
            data=_joined(kspace, kspace.data),
            mask=_joined(kspace, kspace.mask),
            trajectory=_joined(kspace, kspace.trajectory),
            dcf=None if kspace.dcf is None else _joined(kspace, kspace.dcf),
            grid=kspace.grid,
        )
    mask = kspace.mask.expand(*kspace.mask.shape[:-5], kspace.other[-1], *kspace.mask.shape[-4:])
    count = mask.sum(dim=-5, keepdim=True)
    total = (kspace.data * mask).sum(dim=-5, keepdim=True)
    return KSpace(data=total / count.clamp_min(1), mask=count > 0)


def _joined(kspace: KSpace, x: Tensor) -> Tensor:
    """x (*other, time, channel, k2, k1, k0), axes of 1 broadcast, as (*other, 1, channel, k2, time * k1, k0)."""
    k2, k1, k0 = kspace.matrix
    every = x.expand(*x.shape[:-5], kspace.other[-1], x.shape[-4], k2, k1, k0)
    return every.movedim(-5, -3).flatten(-3, -2).unsqueeze(-5)
