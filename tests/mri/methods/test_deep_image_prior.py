"""The deep image prior: images are learned before noise, and samples held out say when to stop."""

from dataclasses import replace

import torch

from gadgets.mri.methods.deep_image_prior import DeepImagePrior
from gadgets.mri.operators.encoding import encoding
from tests.support.heads import decibels, scan

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
    assert decibels(kept, truth) > decibels(last, truth) + 0.5
