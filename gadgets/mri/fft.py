"""Centred orthonormal Fourier transforms of torch tensors, exact for odd sizes."""

from collections.abc import Sequence

import torch
from torch import Tensor


def fft(x: Tensor, axes: Sequence[int]) -> Tensor:
    """Image to k-space along `axes`: X[k] = N^-1/2 sum_r x[r] exp(-2 pi i (k - N//2) (r - N//2) / N).

    complex64 stays complex64. Differentiable.
    """
    dims = _longer(x, axes)
    return torch.fft.fftshift(torch.fft.fftn(torch.fft.ifftshift(x, dims), dim=dims, norm="ortho"), dims)


def ifft(x: Tensor, axes: Sequence[int]) -> Tensor:
    """K-space to image along `axes`; the inverse and the adjoint of `fft`."""
    dims = _longer(x, axes)
    return torch.fft.fftshift(torch.fft.ifftn(torch.fft.ifftshift(x, dims), dim=dims, norm="ortho"), dims)


def _longer(x: Tensor, axes: Sequence[int]) -> tuple[int, ...]:
    """The axes with more than a point (along the others a transform is a copy), or one of them if there are none."""
    return tuple(axis for axis in axes if x.shape[axis] != 1) or tuple(axes)[-1:]
