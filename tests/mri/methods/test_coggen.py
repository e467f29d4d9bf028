"""With its curriculum, the last iterate of a fit has lost less to noise; without noise it costs little."""

import pytest

from gadgets.mri.methods.coggen_dip import CoggenDip
from gadgets.mri.methods.coggen_inr import CoggenInr
from gadgets.mri.methods.deep_image_prior import DeepImagePrior
from gadgets.mri.methods.inr import Inr
from tests.support.heads import decibels, scan

# All samples are fitted, and no look at any others ends the fit.
SETTINGS = {"iterations": 200, "held_out": 0.0}
# After so many, networks have learned noise.
MANY = SETTINGS | {"iterations": 400}


def last(method, noise):
    """PSNR of the last iterate."""
    kspace, csm, truth = scan(0, noise=noise, size=32, acceleration=2.5)
    return decibels(method(kspace, csm), truth)


@pytest.mark.parametrize("hard", [False, True])
@pytest.mark.parametrize(("coggen", "plain", "ahead"), [(CoggenDip, DeepImagePrior, 1), (CoggenInr, Inr, 2)])
def test_noise_is_not_learned(coggen, plain, ahead, hard):
    assert last(coggen(**MANY, hard=hard), 0.08) > last(plain(**MANY), 0.08) + ahead


@pytest.mark.parametrize(("coggen", "plain"), [(CoggenDip, DeepImagePrior), (CoggenInr, Inr)])
def test_little_noise_is_no_reason_to_stop(coggen, plain):
    assert last(coggen(**SETTINGS), 0.01) > last(plain(**SETTINGS), 0.01) - 1


@pytest.mark.parametrize("coggen", [CoggenDip, CoggenInr])
def test_the_noise_may_be_given(coggen):
    known, found = (last(coggen(**SETTINGS | {"iterations": 100}, noise=noise), 0.08) for noise in (0.08 / 2**0.5, 0.0))
    # The estimate is good to a fifth or so (tests/mri/quality/test_noise_level.py): 1 dB of noise.
    assert abs(known - found) < 1
