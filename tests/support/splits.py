"""The same acquisitions, cut into blocks in different ways."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from gadgets.stream.connection import Connection
from gadgets.stream.transport import MemoryTransport
from tests.support.streams import acquisitions, configuration


class _Piecewise(MemoryTransport):
    """Gives a few items at a time, as if no more had arrived."""

    def __init__(self, items: Sequence[Any], sizes: Iterator[int]):
        super().__init__(items)
        self._sizes = sizes

    def receive(self) -> list[Any]:
        n = next(self._sizes)
        items, self._items = self._items[:n], self._items[n:]
        return items


def outputs(gadget: Callable[..., None], items: Sequence[Any], header: bytes, **properties: Any) -> list[list[Any]]:
    """What `gadget` sends for `items` that arrive all at once, one by one, and in pieces of random length."""
    random = np.random.default_rng(1)

    def each(n: int) -> Iterator[int]:
        while True:
            yield n or int(random.integers(1, 9))

    found = []
    for size in (1 << 30, 1, 0):
        transport = _Piecewise(items, each(size))
        gadget(Connection(transport, configuration(**properties), header))
        found.append(transport.sent)
    return found


def assert_same_acquisitions(found: Sequence[Any], expected: Sequence[Any]) -> None:
    """Bit for bit: headers, samples, trajectories."""
    found, expected = acquisitions(found), acquisitions(expected)
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert bytes(one.getHead()) == bytes(other.getHead())
        np.testing.assert_array_equal(one.data, other.data)
        np.testing.assert_array_equal(one.traj, other.traj)
