"""The noise of an image, from the image alone."""

import pytest
import torch

from gadgets.mri.calibration.image_noise import image_noise


@pytest.mark.parametrize("level", [0.01, 0.1])
def test_finds_the_noise_of_an_object_with_edges_in_a_void(level):
    torch.manual_seed(0)
    y, x = torch.meshgrid(torch.linspace(-1, 1, 96), torch.linspace(-1, 1, 101), indexing="ij")
    inside = y**2 + x**2 < 0.7
    drawn = inside * (1 + (y > 0.2) + torch.sin(4 * x)) * torch.exp(1j * x)
    images = torch.stack([drawn, 0 * drawn])[:, None, None].to(torch.complex64)
    noise = level * 2**0.5 * torch.randn_like(images)
    found = image_noise(images + inside * noise)
    assert found.shape == (2, 1, 1, 1, 1)
    # Some 1500 differences: their median is known to 3 %; edges are under a tenth of them.
    assert torch.allclose(found.flatten(), torch.tensor(level), rtol=0.15)


def test_nothing_has_no_noise():
    assert not image_noise(torch.zeros(3, 1, 1, 8, 8, dtype=torch.complex64)).any()
