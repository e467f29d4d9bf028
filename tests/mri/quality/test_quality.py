"""Measures of quality on cases whose value is known."""

import numpy as np
import pytest

from gadgets.mri.phantom.scan import truth
from gadgets.mri.quality.errors import nrmse, psnr
from gadgets.mri.quality.ssim import ssim
from gadgets.mri.quality.support import support


@pytest.fixture(scope="module")
def picture():
    return np.abs(truth((96, 96, 1)))


def test_nrmse(picture):
    assert nrmse(picture, picture) == 0
    assert nrmse(1.1 * picture, picture) == pytest.approx(0.1)
    assert nrmse(1.1 * picture, picture, scaled=True) == pytest.approx(0, abs=1e-6)
    assert nrmse(picture * np.exp(1j), picture, scaled=True) == pytest.approx(0, abs=1e-6)
    assert nrmse(np.zeros_like(picture), picture, scaled=True) == 1
    mask = np.zeros(picture.shape, bool)
    mask[..., 40:50, 40:50] = True
    assert nrmse(np.where(mask, picture, 7), picture, mask) == 0


def test_nrmse_scales_to_the_least_error(picture):
    rng = np.random.default_rng(0)
    noisy = 3 * picture + rng.standard_normal(picture.shape)
    best = nrmse(noisy, picture, scaled=True)
    assert all(best <= nrmse(factor * noisy, picture) for factor in np.linspace(0, 0.5, 50))


def test_psnr():
    reference = np.array([0.0, 2.0])
    assert psnr(reference + 0.2, reference) == pytest.approx(20)
    assert psnr(reference, reference) == float("inf")


def test_refusals(picture):
    with pytest.raises(ValueError, match=r"image has shape \(2,\), reference has shape \(3,\)"):
        nrmse(np.zeros(2), np.zeros(3))
    with pytest.raises(ValueError, match="reference is zero"):
        nrmse(np.ones(2), np.zeros(2))
    with pytest.raises(ValueError, match="mask is empty"):
        psnr(picture, picture, np.zeros(picture.shape, bool))
    with pytest.raises(ValueError, match="magnitude first"):
        ssim(picture * 1j, picture)


def test_ssim_falls_with_noise_and_is_less_hard_on_brightness(picture):
    rng = np.random.default_rng(0)
    noise = rng.standard_normal(picture.shape)
    assert ssim(picture, picture) == pytest.approx(1)
    values = [ssim(picture + level * noise, picture) for level in (0.01, 0.03, 0.1)]
    assert 1 > values[0] > values[1] > values[2] > 0
    level = nrmse(picture + 0.03 * noise, picture)
    assert ssim((1 + level) * picture, picture) > values[1]


def test_ssim_of_constants_follows_its_formula():
    a, b = np.full((20, 20), 3.0), np.full((20, 20), 5.0)
    b[0, 0] = 6  # a range; seen by the window of the corner only
    corner = np.zeros((20, 20), bool)
    corner[10:, 10:] = True
    c1 = 0.01**2
    assert ssim(a, b, corner) == pytest.approx((2 * 15 + c1) / (9 + 25 + c1))


@pytest.mark.parametrize("noise", [0.0, 0.02])
def test_support_is_the_head_with_its_ventricles_and_nothing_else(noise):
    rng = np.random.default_rng(0)
    pictures = np.stack([truth((96, 96, 1), slice_index=index) for index in (0, 6)])
    pictures = pictures + noise * (rng.standard_normal(pictures.shape) + 1j * rng.standard_normal(pictures.shape))
    mask = support(pictures)
    assert mask.shape == pictures.shape
    y, x = np.mgrid[-48:48, -48:48] / 96
    head, around = ((x / (0.49 * 0.69 + edge)) ** 2 + (y / (0.49 * 0.92 + edge)) ** 2 < 1 for edge in (0, 4 / 96))
    assert mask[0, 0][head].mean() > 0.99
    assert mask[0, 0][~around].mean() < 0.05
    assert mask[1].sum() < mask[0].sum()


def test_nothing_has_no_support():
    assert not support(np.zeros((2, 20, 20))).any()
