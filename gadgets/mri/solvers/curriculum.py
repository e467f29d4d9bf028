"""What a fit learns first, and what it need not learn."""

from __future__ import annotations

from math import prod

import torch
from torch import Tensor

from gadgets.mri.kspace import KSpace

# Rings of k-space are as wide as so many cycles per field of view of the longest axis.
_RING = 2.0
# Where noise is less than one part in so many of the energy, fitting it does less harm than leaving signal.
_TOLERATED = 30.0
# The teacher begins with at least this radius, shows all after this share of the iterations, and has an edge so wide.
_FIRST, _SHARE, _EDGE = 0.2, 0.5, 0.05


class Curriculum:
    """Weights of samples, w = teacher student: easy samples first, and noise never.

    The energy p(r) that samples of noise s^2 have in a ring of radius r says how much of them is signal: the Wiener
    weight W(r) = max(0, 1 - s^2 / p(r)).

        teacher  sigmoid((rho(t) - r) / 0.05) W(r), rho growing from the first radius at which W < 1/2 to all of k-space
        student  f + (1 - f) min(1, max(0, e(r, t) / u^2 - 1)), e the energy of the residual in the ring, and
                 f = max(0, 1 - 30 u^2 / p(r)): where more than a thirtieth is noise, residuals are not fitted below it

    u is the noise of the image: s, but where there are more samples of all coils than the image has points, their share
    of s^2 alone. An error of the image as large as its noise is spread over all of these samples there, and raises
    their residuals above s^2 by less than estimates of s^2 are good for; and to fit noise does no more harm than least
    squares do.

    Where there is little noise, W, f and so all weights are near 1. Residuals of single samples say little of what is
    noise, and the largest lie in the centre, which is learned first; over a ring, they say it. The curriculum does not
    end: what it kept from the fit would be fitted afterwards.
    After Kumar, Packer and Koller, NeurIPS 2010:1189 (self-paced learning), and arXiv:2603.04438; formulas of our own.

    kspace: one volume, of noise with deviation `noise` in the real and in the imaginary part of a sample. hard: samples
    are selected, w is 1 where it would be 1/2 or more, else 0.
    """

    def __init__(self, kspace: KSpace, noise: Tensor | float, iterations: int, *, hard: bool = False) -> None:
        self._selects = hard
        self._mask = kspace.mask.expand(1, *kspace.matrix)
        self._radius = radius(kspace)
        longest = max(kspace.image_matrix)
        self._ring = (self._radius * longest / 2 / _RING).long()
        self._count = self._sum(self._mask.to(self._radius.dtype)) * kspace.n_coils
        self._noise = 2 * torch.as_tensor(noise, device=kspace.data.device) ** 2
        samples = kspace.n_coils * self._mask.sum()
        self._fitted = self._noise * (prod(kspace.image_matrix) / samples).clamp(max=1)
        energy = self._mean(kspace.data.abs().square())
        self._wiener = (1 - self._noise / torch.where(energy > 0, energy, 1)).clamp_min(0)[self._ring]
        free = 1 - _TOLERATED * self._fitted / torch.where(energy > 0, energy, 1)
        self._free = free.clamp(0, 1)[self._ring]
        noisy = self._mask & (self._wiener < 0.5)
        # Beyond the corner where nothing is mostly noise.
        last = self._radius.max() + 1
        self._first = torch.where(noisy, self._radius, last).min().clamp_min(_FIRST)
        self._last = self._radius.max() + 5 * _EDGE
        self._iterations = iterations

    def __call__(self, iteration: int, squares: Tensor) -> Tensor:
        """Weights (1, k2, k1, k0) in an iteration with squared residuals (coil, k2, k1, k0)."""
        done = min(1.0, iteration / (_SHARE * self._iterations))
        rho = self._first + done * (self._last - self._first).clamp_min(0)
        teacher = torch.sigmoid((rho - self._radius) / _EDGE) * self._wiener
        noise = torch.where(self._fitted > 0, self._fitted, 1)
        left = torch.where(self._fitted > 0, (self._mean(squares) / noise - 1).clamp(0, 1), 1)[self._ring]
        weights = teacher * (self._free + (1 - self._free) * left)
        return (weights >= 0.5).to(weights.dtype) if self._selects else weights

    def _sum(self, x: Tensor) -> Tensor:
        rings = torch.zeros(int(self._ring.max()) + 1, dtype=x.dtype, device=x.device)
        return rings.index_add(0, self._ring.flatten(), x.flatten())

    def _mean(self, energy: Tensor) -> Tensor:
        """The mean of what samples have, ring by ring."""
        return self._sum((energy * self._mask).sum(dim=-4, keepdim=True)) / self._count.clamp_min(1)


def radius(kspace: KSpace) -> Tensor:
    """How far samples of a volume are from the centre of k-space, (1, k2, k1, k0): 1 at the end of each axis."""
    if kspace.trajectory is not None:
        halves = torch.tensor(kspace.image_matrix, device=kspace.data.device)[:, None, None, None] / 2
        scaled = torch.where(halves > 0.5, kspace.trajectory.abs() / halves, 0)
        return torch.linalg.vector_norm(scaled, dim=-4, keepdim=True).expand(1, *kspace.matrix)
    axes = [(torch.arange(n, device=kspace.data.device) - n // 2) / max(1, n / 2) for n in kspace.matrix]
    return torch.stack(torch.meshgrid(*axes, indexing="ij")).norm(dim=0)[None]
