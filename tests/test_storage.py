import os
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest

from gadgets.storage import HOURS_KEPT, StorageError, StoredNoise, load_noise, save_noise
from gadgets.stream.connection import parse_header
from tests.support.streams import header_xml

HEADER = parse_header(header_xml(measurement="scanner_person_study_7"))
NOISE = StoredNoise(np.array([[2, 1j], [-1j, 3]], complex), 2.5, 4096)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.delenv("GADGETRON_STORAGE_ADDRESS", raising=False)
    monkeypatch.setenv("DEEPGADGETS_STORAGE", str(tmp_path / "noise"))
    return tmp_path / "noise"


def same(found):
    np.testing.assert_array_equal(found.covariance, NOISE.covariance)
    return (found.dwell, found.samples) == (NOISE.dwell, NOISE.samples)


@pytest.mark.parametrize("measurement", ["7", "../../outside", "/etc/passwd", "a\0b", "ü" * 500, ""])
def test_what_is_kept_under_any_id_is_found_inside_the_folder(folder, tmp_path, measurement):
    assert load_noise(measurement, HEADER) is None
    save_noise(NOISE, measurement, HEADER)
    assert same(load_noise(measurement, HEADER))
    assert load_noise(measurement + "x", HEADER) is None
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == list(folder.glob("*.npz"))


def test_the_folder_is_in_the_cache_of_the_user(monkeypatch, tmp_path):
    monkeypatch.delenv("GADGETRON_STORAGE_ADDRESS", raising=False)
    monkeypatch.delenv("DEEPGADGETS_STORAGE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    save_noise(NOISE, "1", HEADER)
    assert len(list((tmp_path / "deepgadgets" / "noise").iterdir())) == 1


def test_what_is_kept_expires(folder):
    save_noise(NOISE, "old", HEADER)
    (path,) = folder.glob("*.npz")
    past = time.time() - HOURS_KEPT * 3600 - 60
    os.utime(path, (past, past))
    assert load_noise("old", HEADER) is None
    save_noise(NOISE, "new", HEADER)
    assert not path.exists()


def test_what_cannot_be_read_is_refused_by_name(folder):
    save_noise(NOISE, "broken", HEADER)
    (path,) = folder.glob("*.npz")
    for content in (b"", b"nonsense", path.read_bytes()[:-40]):
        path.write_bytes(content)
        with pytest.raises(StorageError, match="'broken'"):
            load_noise("broken", HEADER)
    np.savez(path, covariance=np.array([object()]), dwell=1, samples=1)
    with pytest.raises(StorageError, match="'broken'"):
        load_noise("broken", HEADER)


class Blobs(BaseHTTPRequestHandler):
    """The part of the storage server's interface that is used: POST a blob, GET the latest by all its tags."""

    blobs: list = []

    def do_POST(self):
        tags = parse_qs(urlsplit(self.path).query)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.blobs.append((urlsplit(self.path).path, tags, body))
        self.reply(201, b"{}")

    def do_GET(self):
        wanted = parse_qs(urlsplit(self.path).query)
        for _, tags, body in reversed(self.blobs):
            if urlsplit(self.path).path == "/v1/blobs/data/latest" and wanted.items() <= tags.items():
                self.reply(200, body)
                return
        self.reply(404, b"")

    def reply(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch, folder):
    monkeypatch.setattr(Blobs, "blobs", [])
    with ThreadingHTTPServer(("127.0.0.1", 0), Blobs) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        monkeypatch.setenv("GADGETRON_STORAGE_ADDRESS", f"http://127.0.0.1:{running.server_port}")
        yield running
        running.shutdown()
        thread.join()


def test_a_storage_server_is_used_with_gadgetrons_tags(server, folder):
    assert load_noise("m1", HEADER) is None
    save_noise(NOISE, "m1", HEADER)
    assert same(load_noise("m1", HEADER))
    ((path, tags, _),) = Blobs.blobs
    assert path == "/v1/blobs/data"
    assert tags == {
        "subject": ["nobody"],
        "device": ["scanner"],
        "session": ["study"],
        "name": ["noise_covariance.npz"],
        "measurement": ["m1"],
        "_ttl": ["172800s"],
    }
    assert not folder.exists()


def test_a_server_that_does_not_answer_is_named(monkeypatch, folder):
    monkeypatch.setenv("GADGETRON_STORAGE_ADDRESS", "http://127.0.0.1:9")
    with pytest.raises(StorageError, match="127.0.0.1:9 does not answer"):
        save_noise(NOISE, "m1", HEADER)
    monkeypatch.setenv("GADGETRON_STORAGE_ADDRESS", "file:///etc")
    with pytest.raises(StorageError, match="expected http"):
        load_noise("m1", HEADER)
