"""Frames of readouts that go on and on."""

import ismrmrd
import numpy as np
import pytest

from gadgets.stream.blocks import AcquisitionBlock
from gadgets.stream.control import Text
from gadgets.time_frames import time_frames
from tests.support.streams import acquisition, acquisitions, run


def line(n, s=0, *, flags=()):
    return acquisition(np.full((2, 4), n), flags=flags, idx={"kspace_encode_step_1": n, "slice": s}, scan_counter=n)


def counters(sent):
    return [(a.idx.slice, a.idx.repetition, a.idx.kspace_encode_step_1) for a in acquisitions(sent)]


def test_every_so_many_readouts_of_a_slice_are_a_frame():
    lines = [line(n, s) for n in range(7) for s in (0, 1)]
    expected = [(s, n // 3, n % 3) for n in range(7) for s in (0, 1)]
    assert counters(run(time_frames, lines, readouts=3)) == expected
    block = AcquisitionBlock.from_acquisitions(lines)
    # However they arrive together.
    assert counters(run(time_frames, [block[:5], block[5:6], block[6:]], readouts=3)) == expected
    assert block.headers["idx"]["repetition"].max() == 0


def test_data_and_trajectory_stay():
    block = AcquisitionBlock.from_acquisitions([line(n) for n in range(4)])
    block.trajectory = np.random.default_rng(0).random((4, 4, 2), np.float32)
    sent = acquisitions(run(time_frames, [block], readouts=2))
    for n, one in enumerate(sent):
        np.testing.assert_array_equal(one.traj, block.trajectory[n])
        assert (one.data == n).all() and one.scan_counter == n


def test_what_is_no_readout_of_an_image_is_not_counted():
    noise = line(9, flags=[ismrmrd.ACQ_IS_NOISE_MEASUREMENT])
    navigator = line(8, flags=[ismrmrd.ACQ_IS_NAVIGATION_DATA])
    sent = run(time_frames, [noise, line(0), navigator, line(1), Text("by"), line(2)], readouts=2)
    assert counters(sent) == [(0, 0, 9), (0, 0, 0), (0, 0, 8), (0, 0, 1), (0, 1, 0)]
    assert Text("by") in sent


def test_no_readouts_are_refused():
    with pytest.raises(ValueError, match="readouts is 0, expected 1 or more"):
        run(time_frames, [], readouts=0)
