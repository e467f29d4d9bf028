"""Calibration data of methods that work on k-space."""

import torch

from gadgets.mri.calibration.data import calibration_data, split_calibration
from gadgets.mri.kspace import KSpace
from gadgets.mri.phantom.scan import cartesian


def test_a_mask_that_broadcasts_is_a_mask():
    data = torch.from_numpy(cartesian((32, 32, 1), coils=4))
    lines = (torch.arange(32) - 16).abs()[None, None, :, None] < 8
    short, whole = (
        calibration_data(KSpace(data=data * lines, mask=mask)) for mask in (lines, lines.expand(1, 1, 32, 32))
    )
    assert short.equal(whole)
    block, csm = split_calibration(KSpace.from_data(data), short, "grappa")
    assert block.shape == (4, 1, 15, 32)
    assert csm.shape == data.shape
