"""Windows on k-space: symmetric about the centre, and fair to noise."""

import numpy as np
import pytest
import torch

from gadgets.mri.fft import fft, ifft
from gadgets.mri.windows import gaussian, hann, on_range, partial_fourier_window, tapered_hann, unit_noise

MAKERS = [hann, lambda n: gaussian(n, 1.0), lambda n: gaussian(n, 3.0), lambda n: tapered_hann(n, 3)]


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("length", [24, 25, 127, 128])
def test_symmetric_about_the_centre_of_k_space(make, length):
    window = make(length)
    centre = length // 2
    after = window[centre:]
    torch.testing.assert_close(window[centre - len(after) + 1 : centre + 1].flip(0), after)
    assert window.argmax() <= centre
    if length % 2 == 0:
        assert window[0] < 1e-12
    # The point spread function is real: no phase is added, up to rounding.
    assert ifft(window.to(torch.complex64), [0]).imag.abs().max() < 1e-6


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("length", [1, 24, 127])
def test_white_noise_keeps_its_level(make, length):
    assert make(length).square().mean() == pytest.approx(1, rel=1e-6)


def test_the_shape_of_each():
    k = np.arange(9) - 4
    for window, expected in (
        (hann(9), np.cos(np.pi * k / 10) ** 2),
        (gaussian(9, 2.0), np.exp(-((2 * k / 4) ** 2) / 2)),
        (tapered_hann(9, 2), np.sin(np.pi * np.minimum(5 - abs(k), 3) / 5) ** 2 * (abs(k) > 2) + (abs(k) <= 2)),
    ):
        np.testing.assert_allclose(window / window[4], expected, rtol=1e-5)


@pytest.mark.parametrize(("first", "last"), [(0, 39), (24, 63), (4, 39), (24, 60)])
def test_partial_k_space_ends_softly_on_its_shorter_side(first, last):
    window = partial_fourier_window(64, first, last, 0.15)
    assert not window[:first].any() and not window[last + 1 :].any()
    assert window[first : last + 1].square().mean() == pytest.approx(1, rel=1e-5)
    short = window[first : last + 1] if 32 - first < last - 32 else window[first : last + 1].flip(0)
    assert (short[:8].diff() > 0).all()
    torch.testing.assert_close(short[10:], short[-1].expand(len(short) - 10))


@pytest.mark.parametrize(("first", "last"), [(0, 39), (24, 63)])
def test_compensation_counts_each_pair_of_points_twice(first, last):
    """Where the border rises, the weights of the other side fall: window(k) + window(-k) is the same everywhere."""
    window = partial_fourier_window(64, first, last, 0.05, compensate=True).double()
    k = torch.arange(1, 32)
    pairs = window[32 + k] + window[32 - k]
    # They fall half a point off from where the border rises, by sin^2 with 7 points to half a turn.
    torch.testing.assert_close(pairs / pairs[0], torch.ones_like(pairs), rtol=torch.pi / 2 / 7, atol=0)
    assert float(window.max() / window[32]) == pytest.approx(2, rel=1e-5)


def test_a_window_for_a_part_of_the_axis():
    window = on_range(hann(33), 64, 20, 48)
    assert not window[:16].any() and not window[49:].any()
    assert window[20:49].square().mean() == pytest.approx(1, rel=1e-5)


def test_what_is_no_window_is_refused():
    with pytest.raises(ValueError, match="length is 0"):
        hann(0)
    with pytest.raises(ValueError, match="width is 0"):
        tapered_hann(8, 0)
    with pytest.raises(ValueError, match="points 40 to 50 are no range about the centre 32 of 64 points"):
        partial_fourier_window(64, 40, 50, 0.1)
    with pytest.raises(ValueError, match="a window of zeros"):
        unit_noise(torch.zeros(4))


def test_ringing_of_partial_k_space_is_less():
    """What the window is for: an edge in the image, of which the end of k-space is missing."""
    edge = (torch.arange(127) > 63).to(torch.complex64)
    kspace = fft(edge, [0])
    cut = torch.zeros(127)
    cut[:80] = 1
    soft = partial_fourier_window(127, 0, 79, 0.15)
    plain, filtered = (ifft(kspace * w / w[63], [0]).abs() for w in (cut, soft))
    flat = slice(76, 116)
    assert filtered[flat].std() < 0.5 * plain[flat].std()
