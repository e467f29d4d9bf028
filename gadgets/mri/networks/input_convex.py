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
    """psi(x) = mean z_L + strong mean |x|^2 / 2, z_(l+1) = r(|W_l| z_l + V_l x + b_l), r a sharp softplus.

    complex images (*other, 1, z, y, x) to real numbers (*other, 1, 1, 1, 1), one for each volume. A sum of convex
    functions with weights that are not negative is convex, and so is a convex function that does not decrease of a
    convex one; V and b are free. Only the magnitude of W is used, so psi is convex whatever training does, and a weight
    moves as far in a step when it is small as when it is large: through an exponential, small ones would stay.
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
        skips = [nn.Conv2d(2, width, 3, padding=1) for _ in range(layers)]
        for skip in skips:
            # Rectifiers begin with their bend where most differences between neighbours are: at 0.
            assert skip.bias is not None
            nn.init.zeros_(skip.bias)
        self.skips = nn.ModuleList(skips)
        shapes = [(width, width, 3, 3)] * (layers - 1) + [(1, width, 1, 1)]
        # On average 1 / (inputs), so that activations keep their size from layer to layer.
        self.weights = nn.ParameterList(
            nn.Parameter(2 * torch.rand(shape) / (shape[1] * shape[2] * shape[3])) for shape in shapes
        )

    def forward(self, x: Tensor) -> Tensor:
        """psi(x)."""
        planes = to_planes(x)
        z = softplus(self.skips[0](planes), beta=_SHARPNESS)
        for skip, weight in zip(self.skips[1:], self.weights[:-1], strict=True):
            z = softplus(conv2d(z, weight.abs(), padding=1) + skip(planes), beta=_SHARPNESS)
        z = conv2d(z, self.weights[-1].abs())
        axes = (-4, -3, -2, -1)
        values = z.reshape(*x.shape[:-4], 1, *x.shape[-3:]).mean(dim=axes, keepdim=True)
        return values + self.strong / 2 * x.abs().square().mean(dim=axes, keepdim=True)
