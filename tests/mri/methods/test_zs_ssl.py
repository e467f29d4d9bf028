"""From one scan and nothing else, a network learns more than least squares know."""

from unittest.mock import patch

import torch

from gadgets.mri.methods.zs_ssl import ZsSsl
from gadgets.mri.solvers.fit import Fit
from tests.support.heads import decibels, least_squares, scan


def test_better_than_least_squares():
    kspace, csm, truth = scan(0, noise=0.01, size=32, acceleration=4)
    sense = decibels(least_squares(kspace, csm, truth), truth)
    assert decibels(ZsSsl(iterations=120)(kspace, csm), truth) > sense + 0.5


def test_the_image_is_the_mean_of_those_that_predict_about_as_well():
    kspace, csm, _ = scan(0, noise=0.01, size=32, acceleration=4)
    whole, found = Fit.mean, []

    def noted(fit, module, make):
        for state in fit.states.values():
            module.load_state_dict(state)
            with torch.no_grad():
                found.append(make())
        assert len(fit.states) == int((fit.validation <= 1.1 * fit.validation.min()).sum()) > 1
        return whole(fit, module, make)

    with patch.object(Fit, "mean", noted):
        image = ZsSsl(iterations=12)(kspace, csm)
    mean = torch.stack(found).mean(dim=0)
    # But for the unit, in which fits see the object.
    torch.testing.assert_close(image, image.norm() / mean.norm() * mean)
    assert (found[0] - mean).norm() > 1e-3 * mean.norm()
