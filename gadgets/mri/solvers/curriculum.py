"""What a fit learns first, and what it need not learn."""

from __future__ import annotations

from math import prod

import torch
from torch import Tensor

from gadgets.mri.kspace import KSpace
from gadgets.mri.solvers.rings import Rings

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
        self._rings = Rings(kspace)
        self._noise = 2 * torch.as_tensor(noise, device=kspace.data.device) ** 2
        samples = kspace.n_coils * self._rings.count.sum()
        self._fitted = self._noise * (prod(kspace.image_matrix) / samples).clamp(max=1)
        energy = self._rings.mean(kspace.data.abs().square())
        self._wiener = (1 - self._noise / torch.where(energy > 0, energy, 1)).clamp_min(0)[self._rings.index]
        free = 1 - _TOLERATED * self._fitted / torch.where(energy > 0, energy, 1)
        self._free = free.clamp(0, 1)[self._rings.index]
        noisy = kspace.mask & (self._wiener < 0.5)
        # Beyond the corner where nothing is mostly noise.
        last = self._rings.radius.max() + 1
        self._first = torch.where(noisy, self._rings.radius, last).min().clamp_min(_FIRST)
        self._last = self._rings.radius.max() + 5 * _EDGE
        self._iterations = iterations

    def __call__(self, iteration: int, squares: Tensor) -> Tensor:
        """Weights (1, k2, k1, k0) in an iteration with squared residuals (coil, k2, k1, k0)."""
        done = min(1.0, iteration / (_SHARE * self._iterations))
        rho = self._first + done * (self._last - self._first).clamp_min(0)
        teacher = torch.sigmoid((rho - self._rings.radius) / _EDGE) * self._wiener
        noise = torch.where(self._fitted > 0, self._fitted, 1)
        left = torch.where(self._fitted > 0, (self._rings.mean(squares) / noise - 1).clamp(0, 1), 1)
        left = left[self._rings.index]
        weights = teacher * (self._free + (1 - self._free) * left)
        return (weights >= 0.5).to(weights.dtype) if self._selects else weights
