"""The calibration region is what was sampled."""

import pytest
import torch

from gadgets.mri.calibration.region import calibration_region


def mask(*shape):
    return torch.zeros(shape, dtype=torch.bool)


def extents(m):
    return [(part.start, part.stop) for part in calibration_region(m)]


@pytest.mark.parametrize(("n", "first", "last", "expected"), [(128, 52, 75, (52, 76)), (9, 2, 6, (2, 7))])
def test_central_lines(n, first, last, expected):
    m = mask(1, 1, n, 6)
    m[:, :, [0, -1]] = True
    m[:, :, first : last + 1] = True
    assert extents(m) == [(0, 1), expected, (0, 6)]


def test_lines_on_one_side_only_do_not_count():
    m = mask(1, 1, 16, 4)
    m[:, :, 7:16] = True
    assert extents(m)[1] == (7, 10)


def test_a_box_in_two_directions_and_all_slices():
    m = mask(2, 1, 12, 16, 4)
    m[..., 6, 8, :] = True
    m[:, :, 3:9, 4:12] = True
    m[1, :, :, 4] = False
    m[1, :, 6, 4:12] = True
    assert extents(m) == [(3, 9), (5, 12), (0, 4)]


def test_an_asymmetric_echo_has_less_along_the_readout():
    m = mask(1, 1, 8, 16)
    m[..., 5:] = True
    assert extents(m) == [(0, 1), (0, 8), (5, 12)]


def test_a_long_readout_through_the_centre_is_no_reason_for_a_thin_box():
    m = mask(1, 1, 32, 32)
    m[..., 10:22, 10:22] = True
    m[..., 16, 4:29] = True
    assert extents(m) == [(0, 1), (10, 22), (10, 22)]


@pytest.mark.parametrize("seed", range(5))
def test_no_box_has_more_points(seed):
    torch.manual_seed(seed)
    m = torch.rand(1, 5, 8, 9) < 0.9
    m[..., 2, 4, 4] = True
    lengths = [(l2, l1, l0) for l2 in range(1, 6) for l1 in range(1, 9) for l0 in range(1, 10)]
    boxes = [
        tuple(slice(n // 2 - one // 2, n // 2 - one // 2 + one) for n, one in zip((5, 8, 9), box, strict=True))
        for box in lengths
    ]
    most = max(m[(0, *box)].numel() for box in boxes if m[(0, *box)].all())
    found = m[(0, *calibration_region(m))]
    assert found.all() and found.numel() == most


def test_fully_sampled():
    assert extents(~mask(1, 5, 6, 7)) == [(0, 5), (0, 6), (0, 7)]


def test_no_centre_no_region():
    m = ~mask(1, 1, 8, 4)
    m[:, :, 4] = False
    with pytest.raises(ValueError, match=r"centre of k-space \(k2, k1, k0\) = \(0, 4, 2\) was not sampled"):
        calibration_region(m)
