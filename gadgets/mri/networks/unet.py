"""The U-Net."""

from __future__ import annotations

from torch import Tensor, cat, nn
from torch.nn.functional import avg_pool2d, interpolate, leaky_relu, pad

from gadgets.mri.networks.planes import from_planes, to_planes


class Unet(nn.Module):
    """x + U(x), U a U-Net of 3 x 3 convolutions without bias, real and imaginary part as channels.

    images (*other, 1, z, y, x) complex to the same, plane by plane, of any size: planes are padded by reflection to a
    multiple of 2^levels and cropped again. Each of `levels` halves the resolution and doubles `width`, the channels of
    the finest. The last convolution begins at zero, so an untrained network is the identity. Without bias or
    normalisation it is homogeneous, N(a x) = a N(x) for a > 0, and takes any level of noise as it comes.
    Ronneberger, Fischer and Brox, MICCAI 2015:234. doi:10.1007/978-3-319-24574-4_28
    Homogeneity: Mohan et al., ICLR 2020. arXiv:1906.05478
    """

    def __init__(self, *, width: int = 16, levels: int = 2) -> None:
        super().__init__()
        if width < 1 or levels < 1:
            raise ValueError(f"Unet has width {width} and {levels} levels, expected at least 1 of each")
        widths = [width << level for level in range(levels + 1)]
        self.down = nn.ModuleList(_Double(before, after) for before, after in zip([2, *widths], widths, strict=False))
        self.up = nn.ModuleList(_Double(fine + coarse, fine) for fine, coarse in zip(widths, widths[1:], strict=False))
        self.last = nn.Conv2d(width, 2, 1, bias=False)
        nn.init.zeros_(self.last.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Images of the shape of x."""
        planes = to_planes(x)
        height, width = planes.shape[-2:]
        multiple = 1 << len(self.up)
        planes = _reflect(planes, -height % multiple, -width % multiple)
        passed = []
        for block in self.down[:-1]:
            passed.append(block(planes))
            planes = avg_pool2d(passed[-1], 2)
        planes = self.down[-1](planes)
        for block in reversed(self.up):
            planes = interpolate(planes, scale_factor=2, mode="nearest")
            planes = block(cat([passed.pop(), planes], dim=1))
        return x + from_planes(self.last(planes)[..., :height, :width], x)


class _Double(nn.Module):
    """Two convolutions, each with its rectifier."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(before, after, 3, padding=1, bias=False)
        self.second = nn.Conv2d(after, after, 3, padding=1, bias=False)

    def forward(self, planes: Tensor) -> Tensor:
        return leaky_relu(self.second(leaky_relu(self.first(planes), 0.1)), 0.1)


def _reflect(planes: Tensor, below: int, right: int) -> Tensor:
    """Planes with rows and columns more; where too short to be reflected, with copies of the last."""
    mode = "reflect" if below < planes.shape[-2] and right < planes.shape[-1] else "replicate"
    return pad(planes, (0, right, 0, below), mode=mode) if below or right else planes
