"""Sparsity on a real brain: never worse than least squares, and much better from random samples."""

import numpy as np
import pytest
import torch

from gadgets.mri.kspace import KSpace
from gadgets.mri.methods import create
from gadgets.mri.methods.adaptive_combine import AdaptiveCombine
from gadgets.mri.methods.cg_sense import CgSense
from gadgets.mri.operators.encoding import encoding
from gadgets.mri.quality.errors import nrmse
from gadgets.mri.quality.support import support
from tests.support.brain import brain
from tests.support.sampled_phantom import random_sampling

pytestmark = pytest.mark.data


def errors(method, full, imaging, csm):
    """NRMSE inside the head of the method and of CG-SENSE."""
    combine = AdaptiveCombine()
    expected = combine(full, combine.calibrate(full)).abs().numpy()[0]
    images = (one(imaging, csm).abs().numpy()[0] for one in (method, CgSense()))
    return [nrmse(image, expected, support(expected), scaled=True) for image in images]


@pytest.mark.parametrize("name", ["espirit_l1", "total_variation"])
# The reference has noise of its own, and at R = 2 little else is between the two.
@pytest.mark.parametrize(("acceleration", "limit"), [(2, 0.0215), (3, 0.033)])
def test_regular_lines(data_dir, name, acceleration, limit):
    full, imaging, reference = brain(data_dir, acceleration)
    ours, plain = errors(create(name), full, imaging, CgSense().calibrate(reference))
    assert ours < plain
    assert ours < limit


@pytest.mark.parametrize("name", ["espirit_l1", "total_variation"])
def test_random_samples(data_dir, name):
    full, _, _ = brain(data_dir, 3)
    mask = random_sampling(128, 6, centre=24)
    kspace = KSpace(data=full.data * mask, mask=mask)
    ours, plain = errors(create(name), full, kspace, CgSense().calibrate(kspace))
    assert 20 * np.log10(plain / ours) > 3


@pytest.mark.parametrize("name", ["espirit_l1", "total_variation"])
def test_poisson_disc_of_an_eighth(data_dir, name):
    data = torch.from_numpy(np.load(data_dir / "kspace" / "brain_8ch_poisson_R8.npy"))[:, None]
    kspace = KSpace.from_data(data)
    csm = CgSense().calibrate(kspace)
    # There is no reference. Samples that a reconstruction did not see show whether what it adds is true.
    left = torch.rand(kspace.mask.shape, generator=torch.Generator().manual_seed(0)) < 0.1
    left &= kspace.mask
    left[..., 103:127, 78:102] = False
    fewer = KSpace(data=data * ~left, mask=kspace.mask & ~left)
    misses = []
    for method in (create(name), CgSense()):
        foretold = encoding(KSpace(data=data, mask=left), csm)(method(fewer, csm))
        misses.append(float((foretold - data * left).norm() / (data * left).norm()))
    assert misses[0] < 0.9 * misses[1], misses
