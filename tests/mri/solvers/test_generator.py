"""Generators fitted to a scan: what they start from, what they are validated on, what is refused."""

from dataclasses import replace
from functools import partial

import pytest
import torch

from gadgets.mri.calibration.splits import splitter
from gadgets.mri.networks.field import Field
from gadgets.mri.networks.fourier_features import FourierFeatures
from gadgets.mri.quality.errors import nrmse
from gadgets.mri.solvers.generator import Schedule, generated
from tests.support.heads import scan

SCHEDULE = Schedule(iterations=100, warm_iterations=20, rate=5e-3, patience=0)


def field(matrix, width=32):
    return Field(FourierFeatures([0, 2, 2], features=32), matrix, width=width)


@pytest.fixture(scope="module")
def head():
    """K-space, maps and image without noise."""
    return scan(0, noise=0.0, size=24, acceleration=2)


def error(image, truth):
    return nrmse(image.numpy(), truth.numpy())


def test_a_warm_start_is_ahead_of_a_cold_one(head):
    kspace, csm, truth = head
    image, state = generated(kspace, csm, field, SCHEDULE)
    # The next slice is a little brighter on one side.
    brighter = replace(kspace, data=kspace.data * torch.linspace(1, 1.1, 4)[:, None, None, None])
    warm, _ = generated(brighter, csm, field, SCHEDULE, start=state)
    cold, _ = generated(brighter, csm, field, replace(SCHEDULE, iterations=20))
    assert error(image, truth) < 0.3
    assert error(warm, truth) < error(cold, truth)


def test_a_start_of_another_generator_is_refused(head):
    kspace, csm, _ = head
    _, state = generated(kspace, csm, partial(field, width=8), replace(SCHEDULE, iterations=1))
    with pytest.raises(ValueError, match="start is of another network: .*instead of"):
        generated(kspace, csm, field, SCHEDULE, start=state)


def test_weights_are_told_the_scale_and_see_the_residual_of_samples(head):
    kspace, csm, _ = head
    seen = []

    def weighting(volume, scale, iterations):
        assert iterations == 3
        assert (volume.data * scale).allclose(kspace.data)

        def weights(iteration, squares):
            seen.append((iteration, squares))
            return torch.ones(())

        return weights

    plain, _ = generated(kspace, csm, field, replace(SCHEDULE, iterations=3))
    same, _ = generated(kspace, csm, field, replace(SCHEDULE, iterations=3), weights=weighting)
    assert same.equal(plain)
    assert [iteration for iteration, _ in seen] == [0, 1, 2]
    assert seen[0][1].shape == kspace.data.shape and not seen[0][1][~kspace.mask.expand(4, -1, -1, -1)].any()


def test_samples_without_weight_are_not_learned(head):
    kspace, csm, _ = head
    other = replace(kspace, data=kspace.data.clone())
    other.data[..., :8, :] *= -3
    ignored = (torch.arange(24) >= 8)[:, None].float()

    def image(samples):
        # Samples whose weight is 0 still say how bright the object is.
        return generated(samples, csm, field, replace(SCHEDULE, iterations=20), weights=lambda *_: lambda *_: ignored)

    one, two = (image(samples)[0] for samples in (kspace, other))
    turn = (one.conj() * two).sum() / one.abs().square().sum()
    # Adam's path depends on the brightness, and Fourier features hardly.
    assert error(two / turn, one) < 0.2


def test_an_empty_scan_is_an_empty_image(head):
    kspace, csm, _ = head
    image, _ = generated(replace(kspace, data=0 * kspace.data), csm, field, SCHEDULE, divide=splitter(0.1, 0))
    assert image.abs().max() < 0.05
