"""Every message survives encoding and decoding, at any split of its bytes, and says where it broke off."""

from __future__ import annotations

import numpy as np
import pytest

from gadgets.stream.codec import Decoder, encode, message_id
from gadgets.stream.control import Text
from gadgets.stream.errors import TruncatedMessage
from gadgets.stream.ids import MessageId, describe
from tests.support.items import every_item

ITEMS = every_item()


def wire(item: object) -> bytes:
    return b"".join(encode(item))


def drain(decoder: Decoder) -> list[object]:
    items = []
    while (item := decoder.next()) is not None:
        items.append(item)
    return items


def test_every_message_is_among_the_items() -> None:
    assert {message_id(item) for item in ITEMS.values()} == set(MessageId)


@pytest.mark.parametrize("name", ITEMS)
def test_decoding_gives_the_same_bytes_back(name: str) -> None:
    data = wire(ITEMS[name])
    decoder = Decoder()
    decoder.feed(data)
    (item,) = drain(decoder)
    assert type(item) is type(ITEMS[name])
    assert wire(item) == data
    decoder.eof()


@pytest.mark.parametrize("name", ITEMS)
def test_any_split_of_the_bytes_gives_the_same(name: str) -> None:
    """Two messages of the kind with a text behind, in pieces of every small size, and byte by byte."""
    data = wire(ITEMS[name]) * 2 + wire(Text("end"))
    for size in (1, 2, 3, 7, 100, 341, len(data) - 1):
        decoder = Decoder()
        items = []
        for i in range(0, len(data), size):
            decoder.feed(data[i : i + size])
            items += drain(decoder)
        assert b"".join(wire(item) for item in items) == data
        assert items[-1] == Text("end")
        decoder.eof()


@pytest.mark.parametrize("name", ITEMS)
def test_the_end_inside_a_message_says_which_and_where(name: str) -> None:
    data = wire(ITEMS[name])
    before = wire(Text("before"))
    ends = sorted({1, 2, 3, len(data) // 2, len(data) - 1} & set(range(1, len(data))))
    for end in ends:
        decoder = Decoder()
        decoder.feed(before + data[:end])
        drained = drain(decoder)
        complete = (
            len(wire(ITEMS[name])) // max(1, len(getattr(ITEMS[name], "headers", [0]))) if name[:4] == "acqu" else 0
        )
        if complete and end % complete == 0:
            continue
        with pytest.raises(TruncatedMessage) as caught:
            decoder.eof()
        if end - sum(len(wire(item)) for item in drained[1:]) >= 2:
            assert describe(message_id(ITEMS[name])) in str(caught.value)
            assert "byte" in str(caught.value)


def test_decoded_arrays_are_writable_and_their_own() -> None:
    """What a gadget edits in place must not change when more data arrive in the same buffers."""
    decoder = Decoder()
    first = wire(ITEMS["acquisitions"])
    decoder.feed(first)
    (block,) = drain(decoder)
    block.data[...] *= 2
    kept = np.array(block.data)
    for _ in range(5):
        decoder.feed(b"".join([wire(ITEMS["image of float32"]) * 20000]))
        assert len(drain(decoder)) == 20000
    np.testing.assert_array_equal(block.data, kept)
