"""Homodyne detection makes up for the side of k-space that is missing."""

import numpy as np
import pytest
import torch

from gadgets.mri.kspace import KSpace
from gadgets.mri.methods.adaptive_combine import AdaptiveCombine
from gadgets.mri.methods.homodyne import Homodyne
from gadgets.mri.quality.errors import nrmse
from tests.support.smooth_phase import part, smooth_phase


@pytest.mark.parametrize("k1", [slice(0, 40), slice(24, 64)])
def test_five_eighths_of_k_space_suffice_where_the_phase_is_smooth(k1):
    data, expected = smooth_phase()
    kspace = part(data, k1)
    image = Homodyne()(kspace, Homodyne().calibrate(kspace))
    assert not image.imag.any()
    error = nrmse(image.abs().numpy(), expected.numpy())
    zero_filled = AdaptiveCombine()(kspace, AdaptiveCombine().calibrate(kspace))
    assert error < 0.07
    assert 3 * error < nrmse(zero_filled.abs().numpy(), expected.numpy())


def test_gradients_of_the_phase_are_no_shading():
    data, expected = smooth_phase()
    # One line off the centre: the phase turns once over the field of view.
    kspace = part(torch.roll(data, 1, -2), slice(0, 44))
    image = Homodyne()(kspace, Homodyne().calibrate(kspace)).abs().numpy()
    expected = expected.numpy()
    # A linear ramp would make the image darker by 5 %.
    assert abs(np.vdot(image, expected) / np.vdot(image, image) - 1) < 0.02
    assert nrmse(image, expected) < 0.09


def test_complete_k_space_comes_out_without_its_phase():
    data, _ = smooth_phase()
    kspace = KSpace.from_data(data)
    csm = Homodyne().calibrate(kspace)
    torch.testing.assert_close(Homodyne()(kspace, csm).real, AdaptiveCombine()(kspace, csm).abs())


def test_symmetric_sampling_is_refused_with_the_reason():
    kspace = part(smooth_phase()[0], slice(10, 55))
    with pytest.raises(ValueError, match="homodyne fills one side of k-space from the other, but along k1"):
        Homodyne()(kspace, Homodyne().calibrate(kspace))


def test_two_partial_axes_are_refused():
    kspace = part(smooth_phase()[0], slice(0, 40), slice(0, 40))
    with pytest.raises(ValueError, match="partial along one axis, but this is along k1 and k0"):
        Homodyne()(kspace, Homodyne().calibrate(kspace))
