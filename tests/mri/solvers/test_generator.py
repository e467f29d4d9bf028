"""Generators fitted to a scan: what they start from, what they are validated on, what is refused."""

from dataclasses import replace
from functools import partial

import pytest
import torch
from torch import nn

from gadgets.mri.calibration.splits import splitter
from gadgets.mri.fft import fft
from gadgets.mri.kspace import KSpace
from gadgets.mri.networks.field import Field
from gadgets.mri.networks.fourier_features import FourierFeatures
from gadgets.mri.quality.errors import nrmse
from gadgets.mri.solvers import generator
from gadgets.mri.solvers.generator import Schedule, generated
from gadgets.mri.solvers.rings import Rings, radius
from tests.support.heads import scan

SCHEDULE = Schedule(iterations=100, warm_iterations=20, rate=5e-3, patience=0)


def field(matrix, seed, width=32):
    return Field(FourierFeatures([0, 2, 2], features=32, seed=seed), matrix, width=width, seed=seed)


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
    image, _ = generated(replace(kspace, data=0 * kspace.data), csm, field, SCHEDULE, divide=splitter(0.1))
    assert image.abs().max() < 0.05


def test_members_learn_each_by_itself(head):
    """From other samples, with other weights; the image is the mean of theirs, and the state has both."""
    kspace, csm, _ = head
    schedule = replace(SCHEDULE, iterations=1)

    def weighting(volume, *_):
        # Of what is fitted, and so of another scan for each.
        return lambda *_: volume.mask * torch.linspace(0.5, 1, 24)

    settings = {"divide": splitter(0.1), "weights": weighting}
    both, state = generated(kspace, csm, field, schedule, seeds=(3, 4), **settings)
    alone = [generated(kspace, csm, field, schedule, seeds=(seed,), **settings) for seed in (3, 4)]
    torch.testing.assert_close(both, (alone[0][0] + alone[1][0]) / 2)
    assert error(alone[0][0], alone[1][0]) > 1e-2
    for i, (_, own) in enumerate(alone):
        for name, value in own.items():
            torch.testing.assert_close(state[name.replace("members.0", f"members.{i}")], value)


def validation_of_nothing(monkeypatch):
    """A list to which each fit adds what an image of 0 is validated as."""
    fit, found = generator.fit, []

    def noted(module, loss, *, validate, **named):
        with torch.no_grad():
            for parameter in module.parameters():
                parameter.zero_()
            found.append(float(validate()))
        return fit(module, loss, validate=validate, **named)

    monkeypatch.setattr(generator, "fit", noted)
    return found


def test_held_out_samples_stand_for_all_of_k_space(head, monkeypatch):
    """Were they counted as they are, the middle would be what fits are stopped by."""
    kspace, csm, _ = head
    at = radius(kspace)
    inner, bright = at < 0.5, 9 * kspace.data.abs().max()
    # Of the middle, all are held out, and all errors are 1; beyond, a fourth, with errors of a hundred.
    held = kspace.mask & (inner | (torch.arange(24) % 4 == 0))
    volume = replace(kspace, data=bright * torch.where(inner, 1.0, 10.0) * kspace.mask * torch.ones_like(kspace.data))

    def divide(one, _):
        parts = (replace(one, data=one.data * mask, mask=mask) for mask in (one.mask & ~held, held))
        found.append(float((one.data[0] * inner).abs().amax() ** 2))
        return tuple(parts)

    found = validation_of_nothing(monkeypatch)
    generated(volume, csm, field, replace(SCHEDULE, iterations=1), divide=divide)
    unit, validation = found
    # The middle is a fifth of k-space, and more than half of what is held out.
    share = float((Rings(volume).representing() * ~inner).sum() / at.numel())
    assert float((held & inner).sum()) > float((held & ~inner).sum())
    assert validation / unit == pytest.approx(1 + 99 * share, rel=0.1)


def test_the_centre_counts_though_nothing_of_it_is_held_out(head, monkeypatch):
    """Else no image at all would seem better than one with a little noise in its edges."""
    kspace, csm, _ = head
    # All of two rings.
    inner = radius(kspace) < 0.33
    volume = replace(kspace, data=inner * kspace.mask * torch.ones_like(kspace.data))

    def divide(one, _):
        found.append(float(one.data.abs().amax() ** 2))
        masks = (one.mask & inner, one.mask & ~inner)
        return tuple(replace(one, data=one.data * mask, mask=mask) for mask in masks)

    found = validation_of_nothing(monkeypatch)
    generated(volume, csm, field, replace(SCHEDULE, iterations=1), divide=divide)
    unit, validation = found
    assert validation / unit == pytest.approx(float(inner.float().mean()), rel=0.25)


class Free(nn.Module):
    """An image that can be anything, and is noise at first."""

    def __init__(self, matrix, seed):
        super().__init__()
        self.values = nn.Parameter(torch.randn(2, 1, *matrix, generator=torch.Generator().manual_seed(seed)))

    def forward(self):
        return torch.complex(*self.values)


def test_one_side_that_is_missing_is_not_filled(head, monkeypatch):
    """Neither samples nor maps tell anything of it."""
    _, csm, truth = head
    lines = (torch.arange(24) < 15)[:, None].expand(1, 1, 24, 24)
    part = KSpace(data=fft(csm * truth, (-3, -2, -1)) * lines, mask=lines)
    schedule = replace(SCHEDULE, iterations=400, rate=0.05)

    def beyond():
        image, _ = generated(part, csm, Free, schedule)
        return float(fft(csm * image, (-3, -2, -1))[:, :, 19:].norm())

    restrained = beyond()
    monkeypatch.setattr(generator, "_UNREACHED", 0.0)
    assert restrained < 0.1 * beyond()
