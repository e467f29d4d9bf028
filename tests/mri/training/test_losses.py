"""Losses: what they are for equal images, and how they grow."""

import numpy as np
import pytest
import torch

from gadgets.mri.quality.ssim import ssim as reference_ssim
from gadgets.mri.training.losses import LOSSES, gradient_penalty


@pytest.fixture
def images():
    torch.manual_seed(0)
    y, x = torch.meshgrid(torch.linspace(-1, 1, 32), torch.linspace(-1, 1, 40), indexing="ij")
    truth = ((y**2 + x**2 < 0.6) * (1 + 0.3 * torch.sin(9 * x))).to(torch.complex64)[None, None, None]
    return truth, truth + 0.1 * torch.randn_like(truth)


@pytest.mark.parametrize("name", LOSSES)
def test_is_least_for_the_truth_and_rises_with_the_error(name, images):
    truth, noisy = images
    assert LOSSES[name](truth, truth) < 1e-5
    assert LOSSES[name](truth, truth) < LOSSES[name](truth + 0.5 * (noisy - truth), truth) < LOSSES[name](noisy, truth)


def test_psnr_falls_by_the_logarithm_of_the_error(images):
    truth, noisy = images
    loss = LOSSES["psnr"]
    assert float(loss(noisy, truth) - loss(truth + (noisy - truth) / 3, truth)) == pytest.approx(np.log(3), rel=1e-3)


@pytest.mark.parametrize("name", LOSSES)
def test_does_not_depend_on_scale(name, images):
    truth, noisy = images
    torch.testing.assert_close(LOSSES[name](1e3 * noisy, 1e3 * truth), LOSSES[name](noisy, truth), rtol=1e-3, atol=1e-5)


def test_ssim_follows_that_of_image_quality(images):
    """Within the border that whole windows leave, up to the window: 7 x 7, and a Gaussian one of 11 x 11."""
    truth, noisy = images
    inner = np.zeros(truth.shape, bool)
    inner[..., 3:-3, 3:-3] = True
    ours, theirs = [], []
    for share in (0.1, 0.3, 1.0):
        image = truth + share * (noisy - truth)
        ours.append(float(LOSSES["ssim"](image, truth)))
        theirs.append(1 - reference_ssim(image.abs().numpy(), truth.abs().numpy(), inner))
    assert np.argsort(ours).tolist() == np.argsort(theirs).tolist()
    np.testing.assert_allclose(ours, theirs, rtol=0.5)


def test_slopes_above_one_cost(images):
    truth, noisy = images
    mix = torch.rand(1, 1, 1, 1, 1)

    def steep(factor):
        # The root of the mean square: a slope of `factor` everywhere.
        return lambda x: factor * x.abs().square().mean(dim=(-4, -3, -2, -1), keepdim=True).sqrt()

    assert gradient_penalty(steep(0.9), noisy, truth, mix) == 0
    torch.testing.assert_close(gradient_penalty(steep(3.0), noisy, truth, mix), torch.tensor(4.0))


@pytest.mark.parametrize("name", LOSSES)
def test_what_is_next_to_nothing_has_a_finite_gradient(name):
    truth = torch.zeros(1, 1, 1, 12, 12, dtype=torch.complex64)
    truth[..., 4:8, 4:8] = 1
    image = (truth + 1e-42 * torch.ones_like(truth)).requires_grad_()
    LOSSES[name](image, truth).backward()
    assert torch.isfinite(torch.view_as_real(image.grad)).all()
