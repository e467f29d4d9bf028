"""Functions whose k-space is a short kernel."""

import pytest
import torch

from gadgets.mri.fft import fft
from gadgets.mri.networks.kernel_decoder import KernelDecoder


def decoder(channels, matrix, kernel):
    torch.manual_seed(0)
    made = KernelDecoder(torch.full((channels,), channels**-0.5), matrix, kernel=kernel)
    with torch.no_grad():
        # As after a fit: what the decoder makes is no longer small.
        made.decoder.last.weight.mul_(100)
    return made


@pytest.mark.parametrize("matrix", [(16, 16), (15, 12), (12, 15)])
@pytest.mark.parametrize("kernel", [5, 4])
def test_their_k_space_is_zero_outside_the_kernel(matrix, kernel):
    functions = decoder(3, matrix, kernel)().detach()
    assert functions.shape == (3, *matrix)
    kspace = fft(functions, (-2, -1))
    inside = torch.zeros(matrix, dtype=torch.bool)
    y, x = (slice(n // 2 - kernel // 2, n // 2 - kernel // 2 + kernel) for n in matrix)
    inside[y, x] = True
    assert float((kspace * ~inside).abs().max()) < 1e-5 * float(kspace.abs().max())
    assert float(kspace[..., y, x].abs().min()) > 1e-4 * float(kspace.abs().max())


def test_to_multiply_with_them_is_to_convolve_k_space():
    matrix, kernel = (9, 8), 3
    made = decoder(1, matrix, kernel)
    image = torch.randn(matrix, dtype=torch.complex64)
    real, imaginary = made.decoder().chunk(2)
    points = torch.complex(real + made.middle, imaginary)[0]
    kspace = fft(image, (0, 1))
    convolved = sum(points[a, b] * kspace.roll((a - 1, b - 1), (0, 1)) for a in range(kernel) for b in range(kernel))
    torch.testing.assert_close(fft(made() * image, (-2, -1))[0], convolved, rtol=1e-4, atol=1e-4)


def test_at_first_they_are_nearly_what_they_are_told():
    torch.manual_seed(0)
    first = torch.tensor([0.9, -0.3, 0.0])
    assert float((KernelDecoder(first, (16, 16))().detach() - first[:, None, None]).abs().max()) < 0.3


def test_their_state_holds_what_they_were_at_first():
    one, other = (KernelDecoder(torch.tensor(first), (8, 8)) for first in ([0.9, 0.1], [0.1, 0.9]))
    other.load_state_dict(one.state_dict())
    assert other().equal(one())


def test_a_kernel_is_no_larger_than_the_matrix():
    assert KernelDecoder(torch.ones(2), (4, 16), kernel=7)().shape == (2, 4, 16)


def test_a_kernel_of_a_point_is_refused():
    with pytest.raises(ValueError, match="kernel of 1 points, expected at least 2"):
        KernelDecoder(torch.ones(2), (8, 8), kernel=1)
