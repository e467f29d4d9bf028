"""From one scan and nothing else, a function of place and value learns more than least squares know."""

from gadgets.mri.methods.unroll_inr import UnrollInr
from tests.support.heads import decibels, least_squares, scan


def test_better_than_least_squares():
    kspace, csm, truth = scan(0, noise=0.01, size=32, acceleration=3)
    sense = decibels(least_squares(kspace, csm, truth), truth)
    assert decibels(UnrollInr(iterations=120)(kspace, csm), truth) > sense + 0.5
