"""Locally low rank: frames of a series recover what each of them lacks."""

import numpy as np
import pytest
import torch

from gadgets.mri.kspace import KSpace
from gadgets.mri.methods.cg_sense import CgSense
from gadgets.mri.methods.locally_low_rank import LocallyLowRank
from gadgets.mri.quality.errors import nrmse
from tests.support.series import beating_disc, dense_centre, sampled


def gain(images, kspace):
    """By how many dB it is nearer to the truth than frames by themselves."""
    csm = LocallyLowRank().calibrate(kspace)
    assert csm.shape[0] == 1
    truth = images.abs().numpy()
    each = csm.expand(len(images), -1, -1, -1, -1)
    plain = min(nrmse(CgSense(damping=d)(kspace, each).abs().numpy(), truth) for d in (1e-3, 1e-2, 1e-1))
    return 20 * np.log10(plain / nrmse(LocallyLowRank()(kspace, csm).abs().numpy(), truth))


def test_moving_images_from_a_sixth_of_the_lines():
    images = beating_disc()
    assert gain(images, sampled(images, dense_centre(16, 48, 6))) > 6


@pytest.mark.parametrize("axes", [(), (1,), (3, 1)])
def test_a_single_frame_is_refused(axes):
    one = torch.ones(*axes, 2, 1, 8, 8, dtype=torch.complex64)
    with pytest.raises(ValueError, match="locally_low_rank reconstructs series .* has a single frame"):
        LocallyLowRank()(KSpace.from_data(one), one)


def test_no_signal_and_wrong_settings():
    kspace = sampled(beating_disc(16, 4), dense_centre(4, 16, 2))
    csm = LocallyLowRank().calibrate(kspace)
    silent = KSpace(data=torch.zeros_like(kspace.data), mask=kspace.mask)
    assert not LocallyLowRank()(silent, csm).any()
    with pytest.raises(ValueError, match="LocallyLowRank.regularisation is -1"):
        LocallyLowRank(regularisation=-1)
