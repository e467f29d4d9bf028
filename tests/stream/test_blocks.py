"""Blocks are acquisitions: iterating, indexing, merging and sending keep every field and sample."""

from __future__ import annotations

import ismrmrd
import numpy as np
import pytest

from gadgets.stream.blocks import AcquisitionBlock, merge
from tests.support.items import block
from tests.support.streams import acquisition

rng = np.random.default_rng(2)


@pytest.mark.parametrize("dimensions", [0, 2])
def test_a_block_of_acquisitions_iterates_as_those(dimensions: int) -> None:
    made = block(rng, n=4, dimensions=dimensions)
    again = list(made)
    assert all(isinstance(one, ismrmrd.Acquisition) for one in again)
    assert list(AcquisitionBlock.from_acquisitions(again)) == again
    assert made[2] == again[2]
    assert made[-1] == again[3]


def test_iterated_acquisitions_have_aligned_data_of_their_own() -> None:
    viewed = AcquisitionBlock.from_wire(block(rng, n=3).messages())
    for one in viewed:
        assert one.data.flags.aligned
        one.data[:] = 0
    assert np.abs(viewed.data).min() > 0


def test_slices_are_views_and_masks_are_copies() -> None:
    made = AcquisitionBlock.from_wire(block(rng, n=5).messages())
    assert np.shares_memory(made[1:3].data, made.data)
    assert len(made[1:3].messages()) == 2
    picked = made[np.array([True, False, True, False, False])]
    np.testing.assert_array_equal(picked.headers["scan_counter"], [0, 2])
    assert picked.messages().tobytes() == made.messages()[[0, 2]].tobytes()


def test_merging_keeps_order_and_content() -> None:
    whole = block(rng, n=6, dimensions=1)
    assert merge([whole[:1], whole[1:4], whole[4:]]).messages().tobytes() == whole.messages().tobytes()


def test_new_data_set_the_headers_sizes() -> None:
    made = block(rng, n=2)
    changed = made.with_data(np.zeros((2, 7, 9), np.complex64))
    assert changed.messages().shape == (2, 342 + 8 * 63)
    assert made.headers["active_channels"][0] == 2


def test_flags_are_numbered_as_in_ismrmrd() -> None:
    made = AcquisitionBlock.from_acquisitions(
        [acquisition(np.ones((1, 2)), flags=[ismrmrd.ACQ_IS_NOISE_MEASUREMENT]), acquisition(np.ones((1, 2)))]
    )
    np.testing.assert_array_equal(made.flagged(ismrmrd.ACQ_IS_NOISE_MEASUREMENT), [True, False])


def test_shapes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="headers"):
        AcquisitionBlock(np.zeros(2), np.zeros((3, 1, 1)))
    with pytest.raises(ValueError, match="trajectory"):
        AcquisitionBlock(np.zeros(3), np.zeros((3, 1, 4)), np.zeros((3, 5, 2)))
