"""The deep image prior: images are learned before noise, and samples held out say when to stop."""

from dataclasses import replace

import pytest
import torch

from gadgets.mri.methods.deep_image_prior import DeepImagePrior
from gadgets.mri.operators.encoding import encoding
from gadgets.mri.quality.errors import psnr
from gadgets.mri.solvers.progress import listening
from tests.support.heads import scan

FEW = DeepImagePrior(iterations=200, width=8, levels=2)


def test_images_are_learned_before_noise():
    """The same network, from the same start, on a head and on its own samples in disorder."""
    kspace, csm, truth = scan(0, noise=0.0, size=32, acceleration=1)
    order = torch.randperm(32 * 32, generator=torch.Generator().manual_seed(0))
    disorder = truth.flatten()[order].reshape(truth.shape)
    shuffled = replace(kspace, data=encoding(kspace, csm)(disorder))
    method = replace(FEW, iterations=100, held_out=0.0)
    errors = [
        float((method(one, csm) - image).norm() / image.norm())
        for one, image in ((kspace, truth), (shuffled, disorder))
    ]
    assert errors[0] < 0.5 * errors[1]


def test_what_is_kept_has_less_noise_than_the_last_iterate():
    kspace, csm, truth = scan(0, noise=0.08, size=32, acceleration=2.5)
    kept, last = (DeepImagePrior(iterations=400, held_out=share)(kspace, csm) for share in (0.1, 0.0))
    assert psnr(kept.abs().numpy(), truth.abs().numpy()) > psnr(last.abs().numpy(), truth.abs().numpy()) + 0.5


def test_fewer_iterations_follow_a_state():
    kspace, csm, _ = scan(0, noise=0.0, size=16, acceleration=2)
    method = replace(FEW, iterations=50, warm_iterations=25)
    _, state = method.fitted(kspace, csm)
    told = []
    with listening(lambda *what: told.append(what[:2])):
        method.fitted(kspace, csm, start=state)
    assert told == [(25, 25)]
    with pytest.raises(ValueError, match="another generator"):
        replace(method, width=16).fitted(kspace, csm, start=state)
