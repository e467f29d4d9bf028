"""What is partial is seen in the mask, and what conjugate symmetry cannot help is refused."""

import pytest
import torch

from gadgets.mri.calibration.phase import low_resolution_phase, partial_fourier
from gadgets.mri.fft import fft
from gadgets.mri.kspace import KSpace


def kspace(*parts, matrix=(1, 32, 31)):
    mask = torch.zeros(1, *matrix, dtype=torch.bool)
    mask[(0, *parts)] = True
    return KSpace(data=mask.to(torch.complex64), mask=mask)


@pytest.mark.parametrize(
    ("k1", "k0", "widths", "axes"),
    [
        (slice(None), slice(None), (None, None, None), ()),
        (slice(0, 21), slice(None), (None, 4, None), (1,)),
        (slice(11, 32), slice(0, 20), (None, 5, 4), (1, 2)),
    ],
)
def test_the_part_that_is_there_on_both_sides(k1, k0, widths, axes):
    partial = partial_fourier(kspace(slice(None), k1, k0), "x")
    assert (partial.widths, partial.axes) == (widths, axes)


@pytest.mark.parametrize(
    ("k1", "message"),
    [
        (slice(6, 27), "x fills one side .* along k1 points 6 to 26 of 32 .* as many before the centre as after"),
        (slice(0, 18), "along k1 points 0 to 17 of 32 were acquired: fewer than 4 on one side"),
        (slice(0, 30, 2), "x takes k-space without gaps"),
        (slice(0, 0), "x: nothing was acquired"),
    ],
)
def test_other_sampling_is_refused_with_the_reason(k1, message):
    with pytest.raises(ValueError, match=message):
        partial_fourier(kspace(slice(None), k1, slice(None)), "x")


def test_slices_that_are_sampled_differently_are_refused():
    parts = [kspace(slice(None), slice(0, stop), slice(None)) for stop in (20, 22)]
    both = KSpace(data=torch.stack([p.data for p in parts]), mask=torch.stack([p.mask for p in parts]))
    with pytest.raises(ValueError, match="x takes k-space whose slices and repetitions are sampled alike"):
        partial_fourier(both, "x")


def test_a_smooth_phase_is_seen_at_low_resolution():
    y = torch.linspace(-1, 1, 32)[:, None].expand(32, 31)
    phase = torch.exp(1j * y).to(torch.complex64)[None, None]
    data = fft(phase, (-3, -2, -1))
    partial = partial_fourier(kspace(slice(None), slice(0, 24), slice(None)), "x")
    found = low_resolution_phase(data, partial)
    inner = (..., slice(4, -4), slice(None))
    assert (found - phase)[inner].abs().max() < 0.1
    torch.testing.assert_close(found.abs(), torch.ones_like(found.abs()))
