"""What is true of every gadget on disk: it gives the same in this process and under `python -m gadgetron`."""

import importlib
import socket
import subprocess
import sys
from functools import cache
from pathlib import Path

import h5py
import numpy as np
import pytest
from gadgetron.types.image_array import ImageArray

from gadgets.jobs import Work
from gadgets.stream.codec import encode
from gadgets.stream.connection import Connection
from gadgets.stream.control import Close, Config, Error, Header
from gadgets.stream.transport import MemoryTransport, SocketTransport, decoded
from pipelines.clients.simulate import Scan, header_xml
from pipelines.host.external import child
from pipelines.host.loader import gadget_names
from tests.support.scans import run_chain
from tests.support.server import ROOT, environment
from tests.support.small_scan import small_scan
from tests.support.streams import configuration

HEADER = header_xml(Scan(matrix=(32, 32, 1), coils=4, slices=2, acceleration=(2, 1), acs=12))


def wire(items):
    return b"".join(bytes(part) for item in items for part in encode(item))


@cache
def stream():
    """Every kind of item that a scan has on its way, as bytes: each gadget takes its own, and passes the others on."""
    lines = run_chain([], HEADER, ["simulate"])
    buckets = run_chain(
        decoded(wire(lines)),
        HEADER,
        [
            "noise_adjust",
            "remove_ro_oversampling",
            ("acquisition_accumulate_trigger", {"trigger_dimension": "slice"}),
        ],
    )
    buffers = run_chain(decoded(wire(buckets)), HEADER, ["bucket_to_buffer"])
    maps = run_chain(decoded(wire(buffers)), HEADER, ["coil_sensitivities"])
    arrays = run_chain(decoded(wire(buffers)), HEADER, ["simple_recon"])
    complex_images = run_chain(decoded(wire(arrays)), HEADER, ["image_array_split"])
    images = run_chain(decoded(wire(complex_images)), HEADER, ["complex_to_float"])
    for image in images:
        # Images of one series are of one type.
        image.image_series_index += 10
    return wire([*lines, *buckets, *buffers, *maps, *arrays, *complex_images, *images])


def given(name, folder):
    """Values for the properties without a default: all of them name files, but for the job of fetch."""
    if name == "fetch":
        return {"id": finished_job()}
    gadget = getattr(importlib.import_module(f"gadgets.{name}"), name)
    missing = [known for known in gadget.properties.values() if known.default is ...]
    assert all(known.annotation is Path for known in missing), f"say here what {name} is to be given"
    return {known.name: folder / "out" for known in missing}


@cache
def finished_job():
    """The ID of a job that has made the image arrays of the stream."""
    work = Work(HEADER, "", "SimpleRecon", days=1)
    for item in decoded(stream()):
        if isinstance(item, ImageArray):
            work.add(item)
    work.finish()
    return work.job.id


def run(call, properties):
    transport = MemoryTransport(decoded(stream()))
    call(Connection(transport, configuration(**properties), HEADER))
    return wire(transport.sent)


def contents(folder):
    """What a gadget has written, by file."""
    return {path.relative_to(folder): _content(path) for path in sorted(folder.rglob("*")) if path.is_file()}


def _content(path):
    if not h5py.is_hdf5(path):
        return path.read_bytes()
    found = {}
    with h5py.File(path, "r") as file:
        file.visititems(lambda name, node: found.update({name: _values(node)}))
    return found


def _values(node):
    return repr(node[()].tolist()) if isinstance(node, h5py.Dataset) else ""


@pytest.mark.parametrize("name", gadget_names())
def test_the_same_in_this_process_and_as_a_child(name, tmp_path):
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    gadget = getattr(importlib.import_module(f"gadgets.{name}"), name)
    expected = run(gadget, given(name, here))
    found = run(child(f"gadgets.{name}", name), given(name, there))
    assert len(found) == len(expected)
    assert found == expected, f"from byte {_first_difference(found, expected)} of {len(expected)}"
    assert contents(there) == contents(here)


def _first_difference(one, other):
    return int(np.flatnonzero(np.frombuffer(one, np.uint8) != np.frombuffer(other, np.uint8))[0])


@pytest.mark.parametrize("name", gadget_names())
def test_it_says_what_it_does(name):
    """The first line is for those who list gadgets: what comes in, and what goes out."""
    gadget = getattr(importlib.import_module(f"gadgets.{name}"), name)
    assert gadget.__doc__ and " -> " in " ".join(gadget.__doc__.split("\n\n")[0].split())


class Host:
    """A Gadgetron, as far as a gadget behind its process boundary sees one."""

    def __init__(self, name, module="tests.support.gadgets"):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
            self.process = subprocess.Popen(
                [sys.executable, "-m", "gadgetron", str(port), module, name],
                cwd=ROOT,
                env=environment(),
                stderr=subprocess.PIPE,
                text=True,
            )
            listener.settimeout(20.0)
            self.socket, _ = listener.accept()
        self.socket.settimeout(20.0)
        self.transport = SocketTransport(self.socket)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.socket.close()
        self.process.kill()
        self.process.communicate()

    def send(self, *items):
        for item in items:
            self.transport.send(item)

    def assert_silent(self, seconds=0.3):
        self.socket.settimeout(seconds)
        with pytest.raises(TimeoutError):
            self.socket.recv(1, socket.MSG_PEEK)
        self.socket.settimeout(20.0)

    def read(self, n):
        data = b""
        while len(data) < n:
            data += self.socket.recv(n - len(data)) or b"the end of the stream"
        return data

    def rest(self):
        data = bytearray()
        while received := self.socket.recv(1 << 16):
            data += received
        return decoded(bytes(data))


@pytest.mark.parametrize(
    ("name", "passed", "words"),
    [
        ("raises_at_first", 0, "RuntimeError: broken at the first item"),
        ("raises_in_the_middle", 5, "LookupError: broken after 5 items"),
        ("returns_early", 1, "it returned before the end of its input"),
    ],
)
def test_a_failing_gadget_reads_to_the_end_and_then_says_why(name, passed, words):
    """ERROR while a Gadgetron still writes would crash its session."""
    scan = small_scan()
    with Host(name) as host:
        host.send(Config(configuration()), Header(scan.header), *scan.lines)
        assert host.read(len(wire(scan.lines[:passed]))) == wire(scan.lines[:passed])
        # More than sockets hold: it is being read.
        for _ in range(400):
            host.send(*scan.lines)
        host.assert_silent()
        host.send(Close())
        assert host.rest() == [Error(f"{name}: {words}"), Close()]
        assert host.process.wait(20.0) == 1
        assert "Traceback" in host.process.stderr.read()


def test_a_gadget_that_fails_after_the_last_item():
    scan = small_scan()
    with Host("raises_after_the_last") as host:
        host.send(Config(configuration()), Header(scan.header), *scan.lines, Close())
        *passed, error, close = host.rest()
    assert wire(passed) == wire(scan.lines)
    assert error == Error("raises_after_the_last: ArithmeticError: broken after the last item")
    assert close == Close()


def test_an_unknown_property_is_told_of():
    scan = small_scan()
    with Host("tells") as host:
        host.send(Config(configuration(size=3)), Header(scan.header), Close())
        error, close = host.rest()
    assert isinstance(error, Error) and isinstance(close, Close)
    assert error.text.startswith("tells: unknown property 'size'; known: gain, name, on, sizes")
