"""Streams that break off, lie about lengths, or hold data that cannot be reconstructed."""

import struct

import ismrmrd
import numpy as np
import pytest

from gadgets.stream.codec import encode
from gadgets.stream.control import Close, Config, Filename, Header
from tests.support.items import every_item
from tests.support.server import node, pipeline
from tests.support.small_scan import small_scan
from tests.support.streams import acquisition

LARGEST = 2**64 - 1


def wire(item):
    return b"".join(encode(item))


def opening(name="default"):
    return [Filename(name), Header(small_scan().header)]


UNKNOWN = {4711: "unknown message 4711", 1001: "deprecated message 1001", 1051: "BUNDLE (1051)", 1018: "DICOM_WITHNAME"}


@pytest.mark.parametrize("mid", UNKNOWN)
def test_an_unknown_message(server, mid):
    reply = server.ask(struct.pack("<H", mid))
    reply.assert_failed(UNKNOWN[mid], "known: FILENAME (1)")
    reply = server.ask(*opening(), *small_scan().lines[:3], struct.pack("<H", mid), b"\0" * 64, timeout=5.0)
    reply.assert_failed(UNKNOWN[mid], "at byte ")


def test_something_that_is_not_the_protocol(server):
    server.ask(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n").assert_failed("unknown message 17735 at byte 0")


def test_a_compressed_acquisition(server):
    line = acquisition(np.ones((2, 8)), flags=[ismrmrd.ACQ_COMPRESSION2])
    server.ask(*opening(), line, Close()).assert_failed("NHLBI (flag 54), is not supported; send it uncompressed")


HALVES = {name: item for name, item in every_item().items() if name != "close"}


@pytest.mark.parametrize("name", HALVES)
def test_half_a_message_and_then_the_end(server, name):
    message = wire(HALVES[name])
    with server.client(5.0) as client:
        client.send(*opening(), message[: len(message) * 2 // 3 - 1])
        client.end()
        client.read().assert_failed("the data ended inside", "bytes of it arrived")


def test_half_an_identifier(server):
    with server.client(5.0) as client:
        client.send(*opening(), b"\xf0")
        client.end()
        client.read().assert_failed("the data ended inside a message identifier")


def test_the_end_without_close_before_any_data(server):
    for items, words in (([], "before a configuration came"), ([Filename("default")], "before a header came")):
        with server.client(5.0) as client:
            client.send(*items)
            client.end()
            client.read().assert_failed(words)


def test_the_end_without_close_after_the_data(server):
    """What had arrived is reconstructed, and the client is told."""
    scan = small_scan()
    with server.client(5.0) as client:
        client.send(*scan.session()[:-1])
        client.end()
        reply = client.read()
    assert (len(reply.images), reply.errors, reply.closed) == (1, [], True)
    assert [text for text in reply.texts if text.startswith("WARNING ") and "without CLOSE" in text]


def head(**fields):
    """An acquisition's message without any data."""
    made = acquisition(np.ones((1, 1)))
    for name, value in fields.items():
        setattr(made._head, name, value)
    return struct.pack("<H", 1008) + bytes(made._head)


def image_head(meta, **fields):
    made = ismrmrd.Image.from_array(np.ones((1, 1, 2, 2), np.float32), transpose=False)
    raw = ismrmrd.ImageHeader.from_buffer_copy(bytes(made.getHead()))
    for name, value in fields.items():
        setattr(raw, name, value)
    return struct.pack("<H", 1022) + bytes(raw) + struct.pack("<Q", meta)


def wave(**fields):
    made = ismrmrd.WaveformHeader(channels=1, number_of_samples=1)
    for name, value in fields.items():
        setattr(made, name, value)
    return struct.pack("<H", 1026) + bytes(made)


def array(mid, *before, dims):
    return struct.pack("<H", mid) + b"".join(before) + struct.pack(f"<{1 + len(dims)}Q", len(dims), *dims)


ONE = struct.pack("<Q", 1)
ABSURD = {
    "2^63 samples in a buffer": (array(1023, ONE, dims=(2**63, 1, 1, 1, 1, 1, 1)), "RECON_DATA (1023)"),
    "2^63 samples in an image array": (array(1024, dims=(2**63, 1, 1, 1, 1, 1, 1)), "IMAGE_ARRAY (1024)"),
    "dimensions without number": (struct.pack("<HQ", 1024, LARGEST), "IMAGE_ARRAY (1024)"),
    "buffers without number": (struct.pack("<HQ", 1023, LARGEST), "RECON_DATA (1023)"),
    "a bucket without end": (struct.pack("<H", 1050) + b"\xff" * 104, "BUCKET (1050)"),
    "a meta of 4 GiB": (image_head(4 << 30), "IMAGE (1022)"),
    "a meta of all there is": (image_head(LARGEST), "IMAGE (1022)"),
    "an image of 2^48 pixels": (image_head(0, matrix_size=(65535, 65535, 65535), channels=65535), "IMAGE (1022)"),
    "an acquisition of 34 GB": (head(number_of_samples=65535, active_channels=65535), "ACQUISITION (1008)"),
    "a trajectory of 17 GB": (head(number_of_samples=65535, trajectory_dimensions=65535), "ACQUISITION (1008)"),
    "a waveform of 17 GB": (wave(channels=65535, number_of_samples=65535), "WAVEFORM (1026)"),
    "a text of 4 GiB": (struct.pack("<HI", 5, 2**32 - 1), "TEXT (5)"),
    "a query of 2^64 bytes": (struct.pack("<HQQQ", 6, 0, 1, LARGEST), "QUERY (6)"),
}


@pytest.mark.parametrize("name", ABSURD)
def test_an_absurd_length(server, name):
    data, what = ABSURD[name]
    reply = server.ask(*opening(), data, timeout=5.0)
    reply.assert_failed(what, "at byte ")
    assert any(word in reply.errors[0] for word in ("above the limit", "dimensions")), reply.errors


@pytest.mark.parametrize("mid", [2, 3])
def test_an_absurd_length_before_the_data(server, mid):
    start = [Filename("default")] if mid == 3 else []
    server.ask(*start, struct.pack("<HI", mid, 2**32 - 1), timeout=5.0).assert_failed("above the limit")


def test_more_channels_in_the_middle(server):
    scan = small_scan(coils=4)
    lines = [*scan.lines[:7], *small_scan(coils=5).lines[7:]]
    reply = server.ask(*opening(), *lines, Close())
    reply.assert_failed("[bucket_to_buffer]", "channels", "5", "4")
    assert not reply.images


def test_more_samples_in_the_middle(server):
    lines = [*small_scan(16).lines[:7], *small_scan(18).lines[7:16]]
    server.ask(*opening(), *lines, Close()).assert_failed("[bucket_to_buffer]", "18")


def test_a_line_outside_of_the_matrix(server):
    lines = small_scan().lines
    lines[3].idx.kspace_encode_step_1 = 4000
    server.ask(*opening(), *lines, Close()).assert_failed("[bucket_to_buffer]", "acquisition 3", "4000")


@pytest.mark.parametrize("name", ["default", "cartesian_rss", "cartesian_sense"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_data_that_are_no_numbers(server, name, value):
    scan = small_scan()
    scan.lines[5].data[1, 2] = value
    reply = server.ask(*scan.session(name))
    reply.assert_failed("[", "] ", "NaN or infinite")
    assert not reply.images


def noise(coils):
    random = np.random.default_rng(3)
    samples = random.normal(size=(coils, 256, 2)).view(np.complex128)[..., 0]
    return acquisition(samples, flags=[ismrmrd.ACQ_IS_NOISE_MEASUREMENT])


def test_noise_of_other_channels(server):
    reply = server.ask(*opening("cartesian_rss"), noise(3), *small_scan().lines, Close())
    reply.assert_failed("[noise_adjust]", "4 channels", "measured with 3")
    assert not reply.images


def test_every_other_item_passes(server):
    items = [item for name, item in every_item().items() if name.startswith(("image", "wave", "recon", "bucket"))]
    reply = server.ask(Config(pipeline(node("passes"))), Header(small_scan().header), *items, Close())
    assert (len(reply.items), reply.errors, reply.closed) == (len(items) + 1, [], True)
