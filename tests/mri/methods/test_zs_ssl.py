"""From one scan and nothing else, a network learns more than least squares know."""

import torch

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
    image = ZsSsl(iterations=12)(kspace, csm)
    assert len(found) == int((fits[0].validation <= 1.1 * fits[0].validation.min()).sum()) > 1
    mean = torch.stack(found).mean(dim=0)
    # But for the unit, in which fits see the object.
    torch.testing.assert_close(image, image.norm() / mean.norm() * mean)
    assert (found[0] - mean).norm() > 1e-3 * mean.norm()
