"""POCS restores conjugate-symmetric data of smooth phase."""

import pytest
import torch

from gadgets.mri.fft import fft
from gadgets.mri.kspace import KSpace
from gadgets.mri.methods.adaptive_combine import AdaptiveCombine
from gadgets.mri.methods.pocs_partial_fourier import PocsPartialFourier
from gadgets.mri.quality.errors import nrmse
from tests.support.smooth_phase import part, smooth_phase


@pytest.mark.parametrize(
    ("k1", "k0", "limit"),
    [
        (slice(0, 40), slice(None), 0.055),
        (slice(24, 64), slice(None), 0.055),
        (slice(None), slice(24, 64), 0.07),
        # A quarter of the corners has no mirror image.
        (slice(0, 48), slice(16, 64), 0.11),
    ],
)
def test_five_eighths_of_k_space_suffice_where_the_phase_is_smooth(k1, k0, limit):
    data, expected = smooth_phase()
    kspace = part(data, k1, k0)
    method = PocsPartialFourier()
    error = nrmse(method(kspace, method.calibrate(kspace)).abs().numpy(), expected.numpy())
    zero_filled = AdaptiveCombine()(kspace, AdaptiveCombine().calibrate(kspace))
    assert error < limit
    assert 2 * error < nrmse(zero_filled.abs().numpy(), expected.numpy())


def test_what_was_acquired_is_kept():
    data, _ = smooth_phase(coils=1)
    kspace = part(data, slice(0, 40))
    # With one coil and a map of ones, the image is the coil image.
    image = PocsPartialFourier()(kspace, torch.ones_like(data))
    torch.testing.assert_close(fft(image, (-3, -2, -1)) * kspace.mask, kspace.data, rtol=1e-4, atol=1e-4)


def test_complete_k_space_is_left_as_it_is():
    data, _ = smooth_phase()
    kspace = KSpace.from_data(data)
    csm = PocsPartialFourier().calibrate(kspace)
    torch.testing.assert_close(PocsPartialFourier()(kspace, csm), AdaptiveCombine()(kspace, csm))


def test_symmetric_sampling_is_refused_with_the_reason():
    kspace = part(smooth_phase()[0], slice(10, 55))
    method = PocsPartialFourier()
    with pytest.raises(ValueError, match="pocs_partial_fourier fills one side of k-space from the other"):
        method(kspace, method.calibrate(kspace))
