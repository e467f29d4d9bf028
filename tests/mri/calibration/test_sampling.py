"""The lattice of the samples is seen in the mask."""

import pytest
import torch

from gadgets.mri.calibration.sampling import lattice, per_lattice
from gadgets.mri.kspace import KSpace
from tests.support.lattices import lattice_mask


def mask(n2=1, n1=32, n0=8):
    return torch.zeros(n2, n1, n0, dtype=torch.bool)


@pytest.mark.parametrize(("step", "first"), [(1, 0), (2, 1), (3, 0), (4, 2)])
def test_every_nth_line(step, first):
    lines = mask()
    lines[:, first::step] = True
    found = lattice(lines)
    assert (found.steps, found.first, found.extra) == ((1, step), (0, first), None)


def test_calibration_lines_are_told_from_the_lattice():
    lines = mask()
    lines[:, 1::3] = True
    lines[:, 12:21] = True
    found = lattice(lines)
    assert (found.steps, found.first) == ((1, 3), (0, 1))
    assert found.extra == (slice(0, 1), slice(12, 21))


def test_both_phase_encodings_with_a_block_and_partial_readouts():
    lines = mask(n2=12)
    lines[1::2, 2::3, 3:] = True
    lines[4:8, 10:20, 3:] = True
    found = lattice(lines)
    assert (found.steps, found.first, found.readout) == ((2, 3), (1, 2), slice(3, 8))


def test_partial_fourier_ends_where_the_lines_do():
    lines = mask()
    lines[:, 10::2] = True
    assert lattice(lines).extent == (slice(0, 1), slice(10, 31))


def test_a_single_line_is_a_lattice():
    lines = mask()
    lines[:, 5] = True
    assert lattice(lines).steps == (1, 1)


def test_irregular_sampling_is_refused_with_the_reason():
    lines = mask()
    lines[:, [0, 3, 4, 9, 16, 17, 25, 30]] = True
    with pytest.raises(ValueError, match="irregular sampling: the 8 lines that were acquired of 32 are neither every"):
        lattice(lines)


def test_readouts_that_differ_are_refused():
    lines = mask()
    lines[:, ::2] = True
    lines[:, 4, 5:] = False
    with pytest.raises(ValueError, match="readouts differ"):
        lattice(lines)


def test_nothing_is_refused():
    with pytest.raises(ValueError, match="nothing was acquired"):
        lattice(mask())


@pytest.mark.parametrize(
    ("steps", "shift"), [((2, 1), 1), ((2, 2), 1), ((3, 1), 1), ((3, 2), -1), ((4, 1), 1), ((4, 1), 2), ((6, 1), -2)]
)
@pytest.mark.parametrize("first", [(0, 0), (1, 0), (0, 1)])
@pytest.mark.parametrize("block", [False, True])
def test_a_lattice_that_is_shifted_from_row_to_row(steps, shift, first, block):
    lines = lattice_mask((19, 24, 4), steps, shift, first)[0]
    every = lines.clone()
    if block:
        every[6:13, 8:17] = True
    found = lattice(every)
    assert (found.steps, found.shift) == (steps, shift)
    assert found.acceleration == steps[0] * steps[1]
    assert found.lines(every).equal(lines)
    assert found.extra == ((slice(6, 13), slice(8, 17)) if block else None)


def test_a_shift_along_the_other_axis_is_the_same_lattice():
    """Every second k2, and of those every fourth k1, moved by two: every second k1, with a shift by two of four."""
    lines = torch.zeros(16, 16, 4, dtype=torch.bool)
    lines[::4, ::4] = lines[2::4, 2::4] = True
    found = lattice(lines)
    assert (found.steps, found.shift, found.lines(lines).equal(lines)) == ((4, 2), 2, True)


def test_elements_share_calibration_by_broadcasting():
    masks = torch.stack([lattice_mask((1, 8, 4), (1, 2), first=(0, first)) for first in (0, 1)])
    kspace = KSpace(data=torch.ones(3, 2, 5, 1, 8, 4, dtype=torch.complex64), mask=masks[None])
    found = [(source, one.first[1]) for source, _, one in per_lattice(kspace, (3, 1))]
    assert found == [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0), (2, 1)]
