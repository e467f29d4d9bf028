"""Shrinkage of the coefficients of overlapping patches."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, conv_transpose2d, leaky_relu

from gadgets.mri.networks.planes import from_planes, to_planes

# Patches begin at every second point.
_STRIDE = 2
# Of the square of a threshold: below, coefficients are nothing.
_NOTHING = 1e-6


class Shrinkage(nn.Module):
    """sum_k h_k^T (g_k(x) . (h_k x)) / n: cosine coefficients of all patches, each times a gate of 0 to 1.

    images (*other, 1, z, y, x) complex to the same, plane by plane, of any size; beyond its borders a plane goes on
    from the other side. h: orthogonal cosine transform of patches of `patch` x `patch` points, one at every second
    point, n of them at each point. A gate is 1 / (1 + (t_k s / |c|)^4) of the magnitude of its coefficient c, s the
    noise of the image, t_k learned, from `threshold`; what two convolutions of `width` channels see in the magnitudes
    of all coefficients around it opens or closes it further. The last of them begins at zero, so an untrained network
    shrinks each coefficient for itself, which denoises already.
    Turning the phase of an image turns that of the result: N(e^ia x) = e^ia N(x); N(a x, a s) = a N(x, s).
    Shrinkage functions learned for cosine patches: Hel-Or and Shaked, IEEE Trans Image Process 2008;17:443.
    doi:10.1109/TIP.2008.917204
    """

    basis: Tensor

    def __init__(self, *, patch: int = 8, width: int = 48, threshold: float = 3.0) -> None:
        super().__init__()
        if patch < 2 or patch % _STRIDE or width < 1:
            raise ValueError(f"Shrinkage has patch {patch} and width {width}, expected 2, 4, ... and at least 1")
        if not threshold > 0:
            raise ValueError(f"Shrinkage has threshold {threshold}, expected more than 0")
        n = torch.arange(patch)
        cosines = torch.cos(math.pi / patch * (n + 0.5) * n[:, None]) * (2 / patch) ** 0.5
        cosines[0] /= 2**0.5
        basis = torch.einsum("ij,kl->ikjl", cosines, cosines).reshape(-1, 1, patch, patch)
        self.register_buffer("basis", basis, persistent=False)
        self.thresholds = nn.Parameter(torch.full((patch**2, 1, 1), math.log(threshold)))
        self.first = nn.Conv2d(patch**2, width, 3, padding=1)
        self.last = nn.Conv2d(width, patch**2, 3, padding=1)
        nn.init.zeros_(self.last.weight)
        assert self.last.bias is not None
        nn.init.zeros_(self.last.bias)
        with torch.no_grad():
            # The mean of a patch is no noise.
            self.last.bias[0] = 10.0

    def forward(self, x: Tensor, level: Tensor) -> Tensor:
        """Images of the shape of x. level: deviation of the real part of their noise, (*other, 1, 1, 1, 1)."""
        planes = to_planes(x)
        height, width = planes.shape[-2:]
        size = self.basis.shape[-1]
        before = size - _STRIDE
        wrapped = _wrapped(planes, before, before + height % _STRIDE, before + width % _STRIDE)
        parts = [conv2d(part, self.basis, stride=_STRIDE) for part in wrapped.split(1, dim=1)]
        noise = level.expand(x.shape).movedim(-3, -4).reshape(-1, 1, *x.shape[-2:])[..., :1, :1]
        squares = parts[0].square() + parts[1].square()
        ratio = squares / (noise * self.thresholds.exp()).square().clamp_min(torch.finfo(squares.dtype).tiny)
        around = self.last(leaky_relu(self.first(torch.log1p(ratio)), 0.1))
        gates = torch.sigmoid(2 * torch.log(ratio + _NOTHING) + around)
        back = [conv_transpose2d(gates * part, self.basis, stride=_STRIDE) for part in parts]
        shrunk = torch.cat(back, dim=1)[..., before : before + height, before : before + width]
        return from_planes(shrunk / (size // _STRIDE) ** 2, x)


def _wrapped(planes: Tensor, before: int, below: int, right: int) -> Tensor:
    """Planes with rows and columns of their other side, however short they are."""
    rows, columns = (
        torch.arange(-before, length + after, device=planes.device) % length
        for length, after in zip(planes.shape[-2:], (below, right), strict=True)
    )
    return planes[..., rows[:, None], columns]
