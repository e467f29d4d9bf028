"""The networks of K-UNN."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from gadgets.mri.fft import ifft
from gadgets.mri.networks.conv_decoder import ConvDecoder
from gadgets.mri.networks.kernel_decoder import KernelDecoder

# Of what the network of x makes at first, as in the paper. A fit that begins with as much as there is to be found has
# to unlearn it before anything else.
_GAIN = 0.01


class KUnnNetwork(nn.Module):
    """What is fitted to one plane of k-space: coil images, each of them twice, c x and c p conj(x).

    All are made of nothing but parameters: k-space of x by a `ConvDecoder`, divided by h = |k|^filter, and c and p by
    `KernelDecoder`s. Without `phase`, coil images are c x alone. At first, c is nearly `first` (coil,) everywhere.
    Cui et al., arXiv:2208.05827. doi:10.48550/arXiv.2208.05827
    """

    weight: Tensor

    def __init__(
        self,
        first: Tensor,
        matrix: Sequence[int],
        *,
        width: int = 64,
        layers: int = 5,
        kernel: int = 7,
        filter: float = 0.6,
        phase: bool = True,
    ) -> None:
        super().__init__()
        self.content = ConvDecoder(2, matrix, width=width, layers=layers, gain=_GAIN)
        self.coils = KernelDecoder(first, matrix, kernel=kernel)
        self.phase = KernelDecoder(torch.ones(1), matrix, kernel=kernel) if phase else None
        self.register_buffer("weight", radial_weight(matrix, filter), persistent=False)

    def forward(self) -> Tensor:
        """The coil images (estimate, coil, y, x), of one estimate or of two."""
        real, imaginary = self.content().chunk(2)
        x = ifft(torch.complex(real, imaginary) / self.weight, (-2, -1))
        estimates = x if self.phase is None else torch.cat([x, self.phase() * x.conj()])
        return estimates[:, None] * self.coils()


def radial_weight(matrix: Sequence[int], filter: float) -> Tensor:
    """|k|^filter (k1, k0), 1 at the edge of each axis; the centre weighs as a point half a cell from it."""
    k1, k0 = (2 * (torch.arange(n) - n // 2) / n for n in matrix)
    return (k1[:, None].square() + k0.square()).sqrt().clamp_min(1 / max(matrix)) ** filter
