"""An implicit representation: its bandwidth is the detail that it learns, on the grid and along spokes."""

from dataclasses import replace
from typing import get_args

import pytest

from gadgets.mri.methods.inr import Inr
from gadgets.mri.networks.implicit import Encoding
from gadgets.mri.quality.errors import nrmse
from gadgets.mri.quality.support import support
from tests.support.heads import decibels, scan
from tests.support.radial_scan import coil_images, radial_scan, trajectory

FEW = Inr(iterations=150, rate=5e-3, width=64, held_out=0.0)


@pytest.mark.parametrize("encoding", get_args(Encoding))
def test_details_need_an_encoding(encoding):
    """Networks of places learn slow waves only (Tancik 2020): with features of low frequency, edges do not come."""
    kspace, csm, truth = scan(0, noise=0.0, size=32, acceleration=1)
    methods = replace(FEW, encoding=encoding), replace(FEW, bandwidth=0.02)
    errors = [nrmse(method(kspace, csm).numpy(), truth.numpy()) for method in methods]
    assert errors[0] < 0.5 * errors[1]


def test_what_is_kept_has_less_noise_than_the_last_iterate():
    kspace, csm, truth = scan(0, noise=0.08, size=32, acceleration=2.5)
    kept, last = (Inr(iterations=400, held_out=share)(kspace, csm) for share in (0.1, 0.0))
    assert decibels(kept, truth) > decibels(last, truth) + 1


def test_two_networks_make_up_less_than_one():
    """What they make of places that no sample tells of differs, and of the rest not."""
    kspace, csm, truth = scan(0, noise=0.08, size=32, acceleration=2.5)
    one, other, both = (Inr(iterations=200, members=count, seed=seed) for count, seed in ((1, 0), (1, 1), (2, 0)))
    apart = [decibels(method(kspace, csm), truth) for method in (one, other)]
    assert decibels(both(kspace, csm), truth) > max(apart) + 0.3


def test_spokes():
    kspace = radial_scan(trajectory(spokes=16, size=32), 32)
    truth = coil_images(32).norm(dim=-4, keepdim=True).numpy()
    image = FEW(kspace, FEW.calibrate(kspace)).abs().numpy()
    # Half of what is left without Fourier features, see above; of a third of the spokes of full sampling.
    assert nrmse(image, truth, support(truth)) < 0.25
