"""Kernels make each sample from its neighbours."""

import pytest
import torch

from gadgets.mri.calibration.spirit import image_matrices, spirit_kernels
from gadgets.mri.fft import ifft
from gadgets.mri.operators.coil_mixing import CoilMixingOp
from gadgets.mri.phantom.scan import cartesian


def test_one_inverse_gives_what_a_fit_for_each_coil_gives():
    torch.manual_seed(0)
    block = torch.randn(3, 1, 12, 12, dtype=torch.complex128)
    kernels = spirit_kernels(block, kernel=3, damping=0.1)
    patches = block.unfold(2, 3, 1).unfold(3, 3, 1).permute(0, 4, 5, 1, 2, 3).reshape(27, -1)
    energy = patches.abs().square().sum(dim=1).mean()
    for coil in range(3):
        own = 9 * coil + 4
        others = [row for row in range(27) if row != own]
        a = patches[others]
        weights = patches[own] @ a.mH @ torch.linalg.inv(a @ a.mH + 0.1 * energy * torch.eye(26))
        torch.testing.assert_close(kernels[coil].flatten()[others], weights)
        assert kernels[coil].flatten()[own] == 0


def test_calibration_data_are_consistent():
    block = torch.from_numpy(cartesian((64, 64, 1), coils=8))[:, :, 20:44]
    kernels = spirit_kernels(block, damping=1e-5)
    made = torch.nn.functional.conv2d(block[:, 0][None], kernels[:, :, 0])[0]
    inner = block[:, 0, 2:-2, 2:-2]
    assert (made - inner).norm() < 2e-3 * inner.norm()


def test_matrices_are_the_convolution():
    torch.manual_seed(0)
    kernels = torch.randn(2, 2, 1, 3, 3, dtype=torch.complex128)
    data = torch.randn(2, 1, 8, 7, dtype=torch.complex128)
    images = ifft(data, (-3, -2, -1))
    wrapped = torch.nn.functional.pad(data[:, 0][None], (1, 1, 1, 1), mode="circular")
    expected = torch.nn.functional.conv2d(wrapped, kernels[:, :, 0])[0][:, None]
    result = CoilMixingOp(image_matrices(kernels, (1, 8, 7)))(images)
    torch.testing.assert_close(result, ifft(expected, (-3, -2, -1)))


def test_even_kernels_are_refused():
    with pytest.raises(ValueError, match="kernel is 4, expected an odd number"):
        spirit_kernels(torch.ones(2, 1, 8, 8, dtype=torch.complex64), kernel=4)
