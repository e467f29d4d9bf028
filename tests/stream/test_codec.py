"""What the codec refuses, and how acquisitions become blocks."""

from __future__ import annotations

import struct

import ismrmrd
import numpy as np
import pytest

from gadgets.stream.blocks import AcquisitionBlock
from gadgets.stream.codec import Decoder, RawMessage, encode
from gadgets.stream.control import Close, Text
from gadgets.stream.errors import LimitExceeded, ProtocolError, UnsupportedItem
from gadgets.stream.limits import Limits
from tests.support import items
from tests.support.streams import acquisition

rng = np.random.default_rng(0)


def decode(data: bytes, limits: Limits | None = None) -> list[object]:
    decoder = Decoder(limits)
    decoder.feed(data)
    found = []
    while (item := decoder.next()) is not None:
        found.append(item)
    return found


@pytest.mark.parametrize(
    ("mid", "name"),
    [(1018, "DICOM_WITHNAME"), (1019, "DEPENDENCY_QUERY"), (1051, "BUNDLE"), (1003, "deprecated"), (4711, "unknown")],
)
def test_messages_that_cannot_be_read_are_refused_by_name(mid: int, name: str) -> None:
    with pytest.raises(ProtocolError, match=name) as caught:
        decode(b"".join(encode(Text("x"))) + struct.pack("<H", mid))
    assert "byte 7" in str(caught.value)
    assert "ACQUISITION (1008)" in str(caught.value)


@pytest.mark.parametrize(("flag", "name"), [(ismrmrd.ACQ_COMPRESSION1, "ZFP"), (ismrmrd.ACQ_COMPRESSION2, "NHLBI")])
def test_compressed_acquisitions_are_refused_by_name(flag: int, name: str) -> None:
    plain = acquisition(np.ones((2, 4)))
    compressed = acquisition(np.ones((2, 4)), flags=[flag])
    decoder = Decoder()
    decoder.feed(b"".join(encode(plain) + encode(compressed)))
    assert len(decoder.next()) == 1
    with pytest.raises(ProtocolError, match=name):
        decoder.next()


def test_a_block_holds_what_has_arrived_of_one_shape() -> None:
    wide, narrow = items.block(rng, n=4), items.block(rng, n=2, samples=3)
    found = decode(b"".join(encode(wide) + encode(narrow) + encode(Close())))
    assert [len(item) for item in found[:2]] == [4, 2]
    np.testing.assert_array_equal(found[0].data, wide.data)
    assert found[2] == Close()


def test_blocks_view_the_receive_buffer() -> None:
    (block,) = decode(b"".join(encode(items.block(rng))))
    assert np.shares_memory(block.data, block.wire)
    assert np.shares_memory(block.headers, block.wire)
    assert bytes(encode(block)[0]) == block.wire.tobytes()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (struct.pack("<HI", 5, 0xFFFFFFFF), "text of 4294967295"),
        (struct.pack("<HI", 3, 1 << 30), "header of"),
        (struct.pack("<H", 1022) + bytes(ismrmrd.ImageHeader()) + struct.pack("<Q", 1 << 32), "image meta of"),
        (struct.pack("<HQ", 1023, 1 << 60), "encoding spaces"),
        (struct.pack("<HQQ7Q", 1023, 1, 7, 1 << 63, 1, 1, 1, 1, 1, 1), "recon data"),
        (struct.pack("<HQQ", 1024, 99, 1), "99 dimensions"),
        (struct.pack("<HQ7Q", 1024, 7, *[1 << 20] * 7), "image array"),
        (struct.pack("<H13Q", 1050, 1 << 40, *[0] * 12), "bucket data"),
    ],
)
def test_absurd_lengths_are_refused_before_anything_is_allocated(data: bytes, words: str) -> None:
    with pytest.raises(ProtocolError, match=words):
        decode(data)


def test_an_acquisition_above_the_limit_is_refused() -> None:
    head = ismrmrd.AcquisitionHeader(number_of_samples=65535, active_channels=65535)
    with pytest.raises(LimitExceeded, match="65535 channels x 65535 samples"):
        decode(struct.pack("<H", 1008) + bytes(head))


def test_limits_are_the_callers() -> None:
    with pytest.raises(LimitExceeded, match="limit of 3 bytes"):
        decode(b"".join(encode(Text("four"))), Limits(text=3))


def test_bucket_sizes_must_agree_with_its_headers() -> None:
    data = bytearray(b"".join(encode(items.every_item()["bucket"])))
    struct.pack_into("<Q", data, 2 + 16, 8)
    with pytest.raises(ProtocolError, match="follow from the headers"):
        decode(bytes(data))


def test_nul_terminated_strings_of_fire_clients() -> None:
    (text,) = decode(struct.pack("<HI", 5, 4) + b"abc\0")
    assert text == Text("abc")


def test_an_image_type_outside_the_standard() -> None:
    head = ismrmrd.ImageHeader(data_type=9, channels=1)
    with pytest.raises(ProtocolError, match="data_type 9"):
        decode(struct.pack("<H", 1022) + bytes(head) + bytes(8))


def test_image_meta_that_is_no_meta() -> None:
    head = ismrmrd.ImageHeader(data_type=5)
    with pytest.raises(ProtocolError, match="meta"):
        decode(struct.pack("<H", 1022) + bytes(head) + struct.pack("<Q", 4) + b"<no>")


def test_what_has_no_message_is_refused_with_the_choices() -> None:
    with pytest.raises(UnsupportedItem, match="dict.*known: .*Image"):
        encode({})


def test_headers_that_do_not_fit_their_data_are_not_sent() -> None:
    wrong = acquisition(np.ones((2, 4)))
    wrong._head.number_of_samples = 5
    with pytest.raises(UnsupportedItem, match="header"):
        encode(wrong)
    block = items.block(rng)
    block.headers["active_channels"] = 9
    with pytest.raises(UnsupportedItem, match="headers"):
        encode(block)


def test_raw_messages_are_left_to_the_caller() -> None:
    decoder = Decoder(raw={5})
    decoder.feed(b"".join(encode(Text("mine")) + encode(Close())))
    raw = decoder.next()
    assert isinstance(raw, RawMessage)
    assert raw.mid == 5
    assert decoder.take(8).tobytes()[4:] == b"mine"
    assert decoder.next() == Close()


def test_buffers_with_views_are_not_used_again() -> None:
    """Many blocks held at once keep their own bytes, in order, over many buffers."""
    count, decoder, held = 3000, Decoder(), []
    one = acquisition(np.ones((8, 256)))
    for i in range(count):
        one.scan_counter = i
        decoder.feed(b"".join(encode(one)))
        while (item := decoder.next()) is not None:
            held.append(item)
    counters = np.concatenate([block.headers["scan_counter"] for block in held])
    np.testing.assert_array_equal(counters, np.arange(count))


def test_buffers_without_views_are_used_again() -> None:
    decoder = Decoder()
    data = b"".join(encode(acquisition(np.ones((8, 256))))) * 100
    for _ in range(50):
        decoder.feed(data)
        while (item := decoder.next()) is not None:
            assert isinstance(item, AcquisitionBlock)
            del item
    assert len(decoder._pool) <= 2
