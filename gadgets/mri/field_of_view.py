"""Images on another matrix, with the centre kept: other field of view, other voxels."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from gadgets.mri.fft import fft, ifft


def centred(x: Tensor, matrix: Sequence[int]) -> Tensor:
    """Crop, or pad with zeros, the last axes of `x` to `matrix`; index N // 2 of an axis stays its centre.

    In image space this changes the field of view and keeps the voxels; in k-space it changes the voxels.
    """
    for axis, size in zip(range(-len(matrix), 0), matrix, strict=True):
        length = x.shape[axis]
        start = length // 2 - size // 2
        if size < length:
            x = x.narrow(axis, start, size)
        elif size > length:
            padding = [0, 0] * (-1 - axis) + [-start, size - length + start]
            x = torch.nn.functional.pad(x, padding)
    return x


def interpolated(image: Tensor, matrix: Sequence[int]) -> Tensor:
    """The same field of view on `matrix` (of the last axes), by cropping or zero-filling k-space.

    Intensities are kept: a constant image stays the constant that it is. Complex in, complex out.
    """
    axes = [a for a, size in zip(range(-len(matrix), 0), matrix, strict=True) if image.shape[a] != size]
    if not axes:
        return image
    other = ifft(centred(fft(image, axes), matrix), axes)
    return other * (other.numel() / image.numel()) ** 0.5
