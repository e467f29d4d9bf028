"""Centred orthonormal transforms."""

import pytest
import torch

from gadgets.mri.fft import fft, ifft


@pytest.mark.parametrize("n", [1, 2, 5, 8, 9])
def test_equals_the_centred_transform_written_out(n):
    x = torch.randn(3, n, dtype=torch.complex128)
    place = torch.arange(n, dtype=torch.float64) - n // 2
    matrix = torch.exp(-2j * torch.pi * place[:, None] * place / n) / n**0.5
    torch.testing.assert_close(fft(x, (-1,)), x @ matrix.T)
    torch.testing.assert_close(ifft(x, (-1,)), x @ matrix.conj())


@pytest.mark.parametrize("shape", [(4, 6, 8), (5, 7, 9), (1, 4, 3)])
def test_inverse_and_energy(shape):
    x = torch.randn(2, *shape, dtype=torch.complex64)
    k = fft(x, (-3, -2, -1))
    assert k.dtype == torch.complex64
    torch.testing.assert_close(ifft(k, (-3, -2, -1)), x)
    torch.testing.assert_close(k.norm(), x.norm())
