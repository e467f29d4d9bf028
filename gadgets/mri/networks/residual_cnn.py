"""A residual convolutional network."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import relu

from gadgets.mri.networks.planes import from_planes, to_planes


class ResidualCnn(nn.Module):
    """x + C_n r(C_(n-1) ... r(C_1 x)), C being 3 x 3 convolutions without bias and r the rectifier.

    images (*other, 1, z, y, x) complex to the same, plane by plane; real and imaginary part are channels. The last
    convolution begins at zero, so an untrained network is the identity. Without bias the network is homogeneous,
    N(a x) = a N(x) for a > 0.
    Zhang et al., IEEE Trans Image Process 2017;26:3142. doi:10.1109/TIP.2017.2662206
    Homogeneity: Mohan et al., ICLR 2020. arXiv:1906.05478
    """

    def __init__(self, *, width: int = 32, layers: int = 5) -> None:
        super().__init__()
        if width < 1 or layers < 2:
            raise ValueError(f"ResidualCnn has width {width} and {layers} layers, expected at least 1 and 2")
        channels = [2, *[width] * (layers - 1), 2]
        self.layers = nn.ModuleList(
            nn.Conv2d(before, after, 3, padding=1, bias=False)
            for before, after in zip(channels, channels[1:], strict=False)
        )
        last = self.layers[-1]
        assert isinstance(last, nn.Conv2d)
        nn.init.zeros_(last.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Images of the shape of x."""
        planes = to_planes(x)
        for layer in self.layers[:-1]:
            planes = relu(layer(planes))
        return x + from_planes(self.layers[-1](planes), x)
