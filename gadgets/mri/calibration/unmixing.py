"""Parallel imaging in image space: coefficients that make an image of aliased coil images, and their noise."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor


def grappa_unmixing(kernels: Tensor, csm: Tensor) -> Tensor:
    """Unmixing coefficients u (*other, coil, z, y, x) of GRAPPA with combination, from its kernels and maps.

    kernels: (*other, step k2, step k1, coil made, coil, d2, d1, d0), see `grappa_kernels`. csm: (*other, coil made, z,
    y, x); axes of 1 in `other` broadcast. With z the k-space of the lattice, zero elsewhere,

        image(r) = sum_j u_j(r) (F^H z)_j(r),  u_j(r) = sum_c conj(csm_c(r)) H_cj(r),
        H_cj(r) = sum_{t,d} w_tc,jd exp(-2 pi i (d step - t) r / N).

    This is `grappa_fill` and the combination of its coil images in one, whatever the first line of the lattice is. The
    difference is at the borders of k-space: there it goes round, where `grappa_fill` takes zeros for sources and makes
    nothing beyond the last line. Coils made may be fewer than the sources: kernels and maps of the first of them.

    Breuer et al., MRM 2009;62:739. doi:10.1002/mrm.22066
    """
    steps, size = kernels.shape[-7:-5], kernels.shape[-3:]
    if kernels.ndim < 7 or kernels.shape[-5] != csm.shape[-4]:
        raise ValueError(
            f"kernels have shape {tuple(kernels.shape)} and csm {tuple(csm.shape)}, expected (*other, step k2, step "
            "k1, coil made, coil, d2, d1, d0) and (*other, coil made, z, y, x)"
        )
    along_z, along_y = (
        torch.stack([_waves(_sources(width, step, behind=t), length, csm) for t in range(step)])
        for width, step, length in zip(size[:2], steps, csm.shape[-3:-1], strict=True)
    )
    along_x = _waves(_sources(size[2], 1), csm.shape[-1], csm)
    made = []
    # One source at a time: all together would need coils times more memory than the maps.
    for weights in kernels.unbind(dim=-4):
        at_x = torch.einsum("...stcabe,ex->...stcabx", weights, along_x)
        at_yx = torch.einsum("...stcabx,tby->...scayx", at_x, along_y)
        coils = torch.einsum("...scayx,saz->...czyx", at_yx, along_z)
        made.append((csm.conj() * coils).sum(dim=-4))
    return torch.stack(made, dim=-4)


def gfactor(unmixing: Tensor, acceleration: float) -> Tensor:
    """Loss of SNR beyond that by fewer samples, (*other, 1, z, y, x) real, from coefficients (*other, coil, z, y, x).

    g = sqrt(sum_j |u_j|^2) / acceleration. With white noise of unit variance in k-space, the zero-filled coil images
    have the variance 1 / acceleration, and the image sum_j |u_j|^2 / acceleration; that of the full data, combined with
    maps of sum_coil |csm|^2 = 1, has the variance 1. g is at least 1 where the signal is kept unbiased; damping gives
    less. 0 where the coefficients are 0: outside of the support.

    Pruessmann et al., MRM 1999;42:952. doi:10.1002/(SICI)1522-2594(199911)42:5<952::AID-MRM16>3.0.CO;2-S
    Breuer et al., MRM 2009;62:739. doi:10.1002/mrm.22066
    """
    return torch.linalg.vector_norm(unmixing, dim=-4, keepdim=True) / acceleration


def _sources(width: int, step: int, behind: int = 0) -> Iterable[int]:
    """Where sources lie, counted from the line that is made, which is `behind` lines after one of the lattice."""
    return ((d - (width - 1) // 2) * step - behind for d in range(width))


def _waves(offsets: Iterable[int], length: int, like: Tensor) -> Tensor:
    """exp(-2 pi i offset r / length), (offset, length), r counted from the centre of the axis."""
    r = torch.arange(length, device=like.device) - length // 2
    turns = torch.tensor(list(offsets), device=like.device)[:, None] * r % length
    return torch.exp(-2j * torch.pi * turns.to(torch.float64) / length).to(like.dtype)
