"""Shrinkage of the coefficients of overlapping patches."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, conv_transpose2d, leaky_relu

from gadgets.mri.fft import fft, ifft
from gadgets.mri.networks.planes import from_planes, to_planes

# So many patches along each axis hold a point: neighbours are a fourth of their size apart.
_OVERLAP = 4
# Of the square of a threshold: below, coefficients are nothing.
_NOTHING = 1e-6
# How steep gates are: the square of a coefficient to this power.
_STEEP = 3
# What is smooth about a phase: so many points of k-space on each side of the centre.
_SMOOTH = 16
# Of the logarithms that convolutions see, which reach 20: of order 1.
_SCALE = 0.2


class Shrinkage(nn.Module):
    """p sum w_kj h_kj^T (g_kj . (h_kj p* x)) / sum w_kj: cosine coefficients of patches, each times a gate of 0 to 1.

    images (*other, 1, z, y, x) complex to the same, plane by plane, of any size; beyond its borders a plane goes on
    from the other side. p: the smooth phase of the image, after which what is imaginary is mostly noise; k: the
    `patches`, of so many points each way, 16 of each size at each point; j: where they begin. What gates g do, and
    what they leave, is `PatchGates`; small patches follow edges, and large ones texture. Weights w are
    (1 + |g|^2)^-b, b learned for each size: little noise is left where few coefficients are, so such patches say more.
    Turning the phase of an image turns that of the result: N(e^ia x) = e^ia N(x); N(a x, a s) = a N(x, s).
    Patches that are sparser weigh more: Guleryuz, IEEE Trans Image Process 2007;16:3020. doi:10.1109/TIP.2007.908078
    """

    def __init__(self, *, patches: Sequence[int] = (4, 8), width: int = 32, threshold: float = 2.2) -> None:
        super().__init__()
        if not patches or any(patch < 1 or patch % _OVERLAP for patch in patches) or width < 1:
            raise ValueError(
                f"Shrinkage has patches {list(patches)} and width {width}, expected some of 4, 8, ... and at least 1"
            )
        if not threshold > 0:
            raise ValueError(f"Shrinkage has threshold {threshold}, expected more than 0")
        self.sizes = nn.ModuleList(PatchGates(patch, width, threshold) for patch in patches)

    def forward(self, x: Tensor, level: Tensor) -> Tensor:
        """Images of the shape of x. level: deviation of the real part of their noise, (*other, 1, 1, 1, 1)."""
        phase = _smooth_phase(x)
        planes = to_planes(x * phase.conj())
        noise = level.expand(x.shape).movedim(-3, -4).reshape(-1, 1, 1, *x.shape[-2:])[..., :1, :1]
        sums, weights = zip(*(gates(planes, noise) for gates in self.sizes), strict=True)
        return phase * from_planes(sum(sums[1:], sums[0]) / sum(weights[1:], weights[0]), x)


class PatchGates(nn.Module):
    """Gates of the orthogonal cosine coefficients of patches of one size, each patch with a weight.

    Real and imaginary coefficients c have gates of their own, 1 / (1 + (t_k s / |c|)^6), s the noise of the image, t_k
    learned, from `threshold`; what two convolutions of `width` channels see in the magnitudes of all coefficients
    around it opens or closes it further. The last of them begins at zero, so an untrained network shrinks each
    coefficient for itself, which denoises already.
    Shrinkage functions learned for cosine patches: Hel-Or and Shaked, IEEE Trans Image Process 2008;17:443.
    doi:10.1109/TIP.2008.917204
    """

    basis: Tensor

    def __init__(self, patch: int, width: int, threshold: float) -> None:
        super().__init__()
        n = torch.arange(patch)
        cosines = torch.cos(math.pi / patch * (n + 0.5) * n[:, None]) * (2 / patch) ** 0.5
        cosines[0] /= 2**0.5
        basis = torch.einsum("ij,kl->ikjl", cosines, cosines).reshape(-1, 1, patch, patch)
        self.register_buffer("basis", basis, persistent=False)
        self.thresholds = nn.Parameter(torch.full((2, patch**2, 1, 1), math.log(threshold)))
        self.sparser = nn.Parameter(torch.tensor(0.5))
        self.first = nn.Conv2d(2 * patch**2, width, 3, padding=1)
        self.last = nn.Conv2d(width, 2 * patch**2, 3, padding=1)
        nn.init.zeros_(self.last.weight)
        assert self.last.bias is not None
        nn.init.zeros_(self.last.bias)
        with torch.no_grad():
            # The mean of the real part of a patch is no noise.
            self.last.bias[0] = 10.0

    def forward(self, planes: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """The weighted sum of patches, and of their weights, at each point (plane, 2 or 1, y, x).

        planes: (plane, 2, y, x), real and imaginary; noise: (plane, 1, 1, 1, 1), the deviation of either.
        """
        height, width = planes.shape[-2:]
        size = self.basis.shape[-1]
        stride = size // _OVERLAP
        before = size - stride
        wrapped = _wrapped(planes, before, before + -height % stride, before + -width % stride)
        coefficients = torch.stack([conv2d(part, self.basis, stride=stride) for part in wrapped.split(1, dim=1)], dim=1)
        limits = (noise * self.thresholds.exp()).square()
        ratio = coefficients.square() / limits.clamp_min(torch.finfo(limits.dtype).tiny)
        seen = self.first(_SCALE * torch.log1p(ratio).flatten(1, 2))
        around = self.last(leaky_relu(seen, 0.1)).reshape(ratio.shape)
        gates = torch.sigmoid(_STEEP * torch.log(ratio + _NOTHING) + around)
        weights = (1 + gates.square().sum(dim=(1, 2))[:, None]) ** -self.sparser
        gated = gates * coefficients * weights[:, None]
        window = torch.ones_like(self.basis[:1])
        sums = [conv_transpose2d(part, self.basis, stride=stride) for part in gated.unbind(dim=1)]
        sums.append(conv_transpose2d(weights, window, stride=stride))
        inside = torch.cat(sums, dim=1)[..., before : before + height, before : before + width]
        return inside[:, :2], inside[:, 2:]


def _smooth_phase(x: Tensor) -> Tensor:
    """exp(i phase) of images under a Hann window on the middle of their k-space, plane by plane; 1 where they are 0."""
    window = torch.ones((), device=x.device)
    for length in x.shape[-2:]:
        # Made where the image is: nothing is sent to a device within an iteration.
        offset = torch.arange(length, device=x.device) - length // 2
        window = window[..., None] * torch.cos(torch.pi / 2 * (offset / _SMOOTH).clamp(-1, 1)).square()
    smooth = ifft(fft(x, (-2, -1)) * window, (-2, -1))
    size = smooth.abs()
    return torch.where(size > 0, smooth / torch.where(size > 0, size, 1), 1)


def _wrapped(planes: Tensor, before: int, below: int, right: int) -> Tensor:
    """Planes with rows and columns of their other side, however short they are."""
    rows, columns = (
        torch.arange(-before, length + after, device=planes.device) % length
        for length, after in zip(planes.shape[-2:], (below, right), strict=True)
    )
    return planes[..., rows[:, None], columns]
