"""Smooth functions in image space: short kernels in k-space, made by a decoder."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from gadgets.mri.networks.conv_decoder import ConvDecoder

# As many as a kernel of a few points needs. What the decoder makes at first is small beside the middle point.
_WIDTH, _LAYERS, _GAIN = 24, 3, 0.01


class KernelDecoder(nn.Module):
    """Complex functions (channel, *matrix) of the image whose k-space is a kernel of `kernel` points per axis (y, x):

        f_c(r) = sum_k kernel_c(k) exp(2 pi i k r / n),  |k| <= kernel / 2,

    k in cycles per field of view and r in points from the centre. To multiply an image with f is to convolve its
    k-space with the kernel, around its borders. Kernels are those of a `ConvDecoder`, plus a middle point: at first
    the functions are all nearly constant, `first` (channel,), real.
    """

    middle: Tensor
    waves_y: Tensor
    waves_x: Tensor

    def __init__(self, first: Tensor, matrix: Sequence[int], *, kernel: int = 7) -> None:
        super().__init__()
        if kernel < 2:
            raise ValueError(f"KernelDecoder has a kernel of {kernel} points, expected at least 2")
        points = [min(kernel, length) for length in matrix]
        self.decoder = ConvDecoder(2 * len(first), points, width=_WIDTH, layers=_LAYERS, gain=_GAIN)
        middle = torch.zeros(len(first), *points)
        middle[:, points[0] // 2, points[1] // 2] = first.cpu()
        # What the decoder makes is added to it: a state without it would be that of other functions.
        self.register_buffer("middle", middle)
        for axis, (length, width) in zip("yx", zip(matrix, points, strict=True), strict=True):
            r, k = (torch.arange(n, dtype=torch.float64) - n // 2 for n in (length, width))
            waves = torch.exp(2j * torch.pi * r[:, None] / length * k).to(torch.complex64)
            self.register_buffer(f"waves_{axis}", waves, persistent=False)

    def forward(self) -> Tensor:
        """f."""
        real, imaginary = self.decoder().chunk(2)
        return self.waves_y @ torch.complex(real + self.middle, imaginary) @ self.waves_x.mT
