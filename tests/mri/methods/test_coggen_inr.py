"""With its curriculum, the last iterate of a fit has lost less to noise; without noise it costs little."""

from gadgets.mri.methods.coggen_inr import CoggenInr
from gadgets.mri.methods.inr import Inr
from gadgets.mri.quality.errors import psnr
from tests.support.heads import scan

SETTINGS = {"iterations": 200, "held_out": 0.0}
# After so many, networks have learned noise.
MANY = SETTINGS | {"iterations": 400}


def last(method, noise):
    """PSNR of the last iterate."""
    kspace, csm, truth = scan(0, noise=noise, size=32, acceleration=2.5)
    return psnr(method(kspace, csm).abs().numpy(), truth.abs().numpy())


def test_noise_is_not_learned():
    # All samples are fitted, and no look at any others ends the fit.
    assert last(CoggenInr(**MANY), 0.08) > last(Inr(**MANY), 0.08) + 2


def test_little_noise_is_no_reason_to_stop():
    assert last(CoggenInr(**SETTINGS), 0.01) > last(Inr(**SETTINGS), 0.01) - 1


def test_the_noise_may_be_given():
    known, found = (
        last(CoggenInr(**SETTINGS | {"iterations": 100}, noise=noise), 0.08) for noise in (0.08 / 2**0.5, 0.0)
    )
    # The estimate is good to a fifth or so (tests/mri/quality/test_noise_level.py): 1 dB of noise.
    assert abs(known - found) < 1
