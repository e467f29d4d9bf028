"""Slices that wait are reconstructed at once, as each would be alone, and what fails has its name."""

from dataclasses import replace
from functools import partial

import pytest
import torch

from gadgets.attempts import Attempt, Guarded, Slice
from gadgets.batches import MOST, together
from gadgets.mri.kspace import KSpace
from gadgets.mri.operators.encoding import encoding
from gadgets.progress import Progress


class Counting:
    """A learned method, as far as batches ask, that adds up what coils see; what is brighter than 1e3 makes it fail."""

    def __init__(self):
        self.sizes = []

    def trained(self, device):
        return torch.nn.Identity(), Card()

    def calibrate(self, reference):
        raise AssertionError("maps are given")

    def __call__(self, kspace, calibration):
        self.sizes.append(len(kspace.data))
        image = encoding(kspace, calibration).H(kspace.data)
        if image.abs().max() > 1e3:
            raise ValueError("too bright")
        return image


class Card:
    """A card that takes every scan."""

    name, sha256 = "any", "0"

    def require(self, kspace, *, field_tesla=None):
        """Nothing is refused."""


def slices(count):
    torch.manual_seed(0)
    made = []
    for number in range(count):
        data = torch.randn(1, 1, 1, 3, 1, 8, 8, dtype=torch.complex64)
        mask = torch.rand(1, 1, 1, 1, 1, 8, 8) < 0.7
        part = KSpace(data=data * mask, mask=mask)
        csm = torch.randn(1, 1, 1, 3, 1, 8, 8, dtype=torch.complex64)
        csm = csm / csm.norm(dim=-4, keepdim=True)
        reference = partial(KSpace.from_data, data)
        made.append(Slice(kspace=part, csm=csm, reference=reference, number=number, repetition=0, space=0))
    return made


def guarded(method, fallback=None):
    cpu = torch.device("cpu")
    second = None if fallback is None else Attempt("second", fallback, cpu)
    return Guarded(Attempt("first", method, cpu), second, Progress(lambda: False, print))


def test_each_is_as_it_would_be_alone():
    waiting, method = slices(5), Counting()
    alone = [guarded(Counting())(one) for one in waiting]
    for (image, made), (own, how) in zip(together(guarded(method), waiting), alone, strict=True):
        torch.testing.assert_close(image, own)
        torch.testing.assert_close(made.residual, how.residual)
    assert method.sizes == [5]


def test_no_more_than_a_few_at_once():
    method = Counting()
    assert len(list(together(guarded(method), slices(MOST + 3)))) == MOST + 3
    assert method.sizes == [MOST, 3]


def test_what_differs_or_has_no_maps_is_by_itself():
    method = Counting()
    other = slices(4)
    larger = KSpace.from_data(torch.randn(1, 1, 1, 3, 1, 8, 10, dtype=torch.complex64))
    other[2] = replace(other[2], kspace=larger, csm=torch.full((1, 1, 1, 3, 1, 8, 10), 3**-0.5, dtype=torch.complex64))
    assert len(list(together(guarded(method), other))) == 4
    assert method.sizes == [2, 1, 1]


def test_images_before_the_one_that_fails_are_kept_and_it_is_named():
    waiting = slices(4)
    waiting[2] = replace(waiting[2], kspace=replace(waiting[2].kspace, data=1e6 * waiting[2].kspace.data))
    made = []
    with pytest.raises(ValueError, match="first at slice 2, repetition 0: .*too bright"):
        for image, _ in together(guarded(Counting()), waiting):
            made.append(image)
    assert len(made) == 2


def test_from_the_one_that_fails_on_the_fallback_serves():
    class Plain(Counting):
        trained = property()

        def __call__(self, kspace, calibration):
            return encoding(kspace, calibration).H(kspace.data)

    waiting = slices(4)
    waiting[1] = replace(waiting[1], kspace=replace(waiting[1].kspace, data=1e6 * waiting[1].kspace.data))
    reasons = [made.reason for _, made in together(guarded(Counting(), Plain()), waiting)]
    assert reasons[0] == "" and all("at slice 1" in reason for reason in reasons[1:])
