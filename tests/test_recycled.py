"""Memory is used again when nobody holds it, and never before."""

import numpy as np

from gadgets.recycled import Recycled


def address(array):
    return array.__array_interface__["data"][0]


def test_memory_that_nobody_holds_is_used_again_and_is_zero():
    memory = Recycled()
    first = memory.zeros((3, 4), np.complex64)
    first[...] = 7
    where = address(first)
    del first
    again = memory.zeros((4, 3), np.complex64)
    assert address(again) == where
    assert not again.any()
    assert again.flags.c_contiguous


def test_memory_that_a_view_holds_is_left_alone():
    memory = Recycled()
    held = memory.zeros((8,), np.float32)[2:4].reshape(2, 1).T
    held[...] = 5
    others = [memory.zeros((8,), np.float32) for _ in range(10)]
    for other in others:
        other[...] = -1
    np.testing.assert_array_equal(held, [[5, 5]])
    assert len({address(other) for other in others}) == 10


def test_nothing_large_is_kept():
    memory = Recycled()
    memory.zeros((65 << 20,), np.uint8)
    memory.zeros((), np.float32)
    memory.zeros((0, 3), np.float32)
    assert [each.nbytes for each in memory._memory] == [4]
