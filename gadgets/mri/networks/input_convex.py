"""A network that is convex in its input."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, softplus

from gadgets.mri.networks.planes import to_planes

# Of the rectifiers: they bend over 1 / 30 of the intensity of an image, which is the size of what tells images apart.
# Over a range in which they are straight, psi is a mean of x, the same for all images.
_SHARPNESS = 30.0


class InputConvex(nn.Module):
    """psi(x) = mean z_L + strong mean |x|^2 / 2, z_(l+1) = r(W_l z_l + V_l x + b_l), W_l >= 0, r a sharp softplus.

    complex images (*other, 1, z, y, x) to real numbers (*other, 1, 1, 1, 1), one for each volume. A sum with weights
    W >= 0 of convex functions is convex, and so is a convex function that does not decrease of a convex one; V and b
    are free. W are stored as they are and used through softplus, so they are never negative, whatever training does.
    Amos, Xu and Kolter, ICML 2017;70:146. arXiv:1609.07152
    As a regulariser: Mukherjee et al., arXiv:2008.02839.
    """

    def __init__(self, *, width: int = 24, layers: int = 3, strong: float = 0.0) -> None:
        super().__init__()
        if width < 1 or layers < 1 or not strong >= 0:
            raise ValueError(
                f"InputConvex has width {width}, {layers} layers and strong {strong}, expected at least 1, 1 and 0"
            )
        self.strong = strong
        self.skips = nn.ModuleList(nn.Conv2d(2, width, 5, padding=2) for _ in range(layers))
        shapes = [(width, width, 5, 5)] * (layers - 1) + [(1, width, 1, 1)]
        # As softplus(w): about 1 / (inputs), so that activations keep their size from layer to layer.
        self.weights = nn.ParameterList(
            nn.Parameter(
                torch.expm1(torch.tensor(1 / (shape[1] * shape[2] * shape[3]))).log() + 0.1 * torch.randn(shape)
            )
            for shape in shapes
        )

    def forward(self, x: Tensor) -> Tensor:
        """psi(x)."""
        planes = to_planes(x)
        z = softplus(self.skips[0](planes), beta=_SHARPNESS)
        for skip, weight in zip(self.skips[1:], self.weights[:-1], strict=True):
            z = softplus(conv2d(z, softplus(weight), padding=weight.shape[-1] // 2) + skip(planes), beta=_SHARPNESS)
        z = conv2d(z, softplus(self.weights[-1]))
        axes = (-4, -3, -2, -1)
        values = z.reshape(*x.shape[:-4], 1, *x.shape[-3:]).mean(dim=axes, keepdim=True)
        return values + self.strong / 2 * x.abs().square().mean(dim=axes, keepdim=True)
