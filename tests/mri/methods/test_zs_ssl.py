"""From one scan and nothing else, a network learns more than least squares know."""

from dataclasses import replace

import torch

from gadgets.mri.calibration.zero_shot import Samples
from gadgets.mri.methods.zs_ssl import ZsSsl
from tests.support.heads import decibels, least_squares, scan
from tests.support.iterates import iterates


def test_better_than_least_squares():
    kspace, csm, truth = scan(0, noise=0.01, size=32, acceleration=4)
    sense = decibels(least_squares(kspace, csm, truth), truth)
    assert decibels(ZsSsl(iterations=60)(kspace, csm), truth) > sense + 0.5


def test_the_image_is_the_mean_of_those_that_predict_about_as_well(monkeypatch):
    kspace, csm, _ = scan(0, noise=0.01, size=32, acceleration=4)
    found, fits = iterates(monkeypatch)
    image = ZsSsl(iterations=30)(kspace, csm)
    assert len(found) == int((fits[0].validation <= 1.1 * fits[0].validation.min()).sum()) > 1
    steps = torch.tensor(list(fits[0].steps.values()))
    assert steps.min() < steps.max()
    mean = (steps.reshape(-1, 1, 1, 1, 1) * torch.stack(found)).sum(dim=0) / steps.sum()
    # But for the unit, in which fits see the object.
    torch.testing.assert_close(image, image.norm() / mean.norm() * mean)
    assert (found[0] - mean).norm() > 1e-3 * mean.norm()


def test_what_no_sample_says_anything_of_has_a_cost():
    kspace, csm, truth = scan(0, noise=0.01, size=32, acceleration=2)
    mask = kspace.mask.clone()
    mask[..., 20:, :] = False
    samples = Samples.of(replace(kspace, mask=mask, data=torch.where(mask, kspace.data, 0)), csm)
    assert ZsSsl().penalty(truth, 0 * truth, samples) == samples.beyond(truth) > 0
