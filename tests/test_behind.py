"""Data that wait for fits behind their scan: no more than there is room for, and none is lost."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from gadgets import behind, detached, jobs
from gadgets.reconstruct import reconstruct
from gadgets.stream.connection import Connection
from gadgets.stream.errors import Stopped
from gadgets.stream.transport import MemoryTransport
from tests.support.buffers import recon_buffer, recon_data
from tests.support.heads import scan
from tests.support.server import wait_until
from tests.support.streams import configuration, header_xml

SLICES = 5
EVER = 100_000


class Client(MemoryTransport):
    """Takes what is sent until it leaves."""

    left = False

    def abandoned(self):
        return self.left


@pytest.fixture(params=["behind", "detached"])
def started(request, tmp_path, monkeypatch):
    """Starts a scan of `SLICES`, each brighter than the one before, with room for two: the client, and how it ends."""
    monkeypatch.setenv("DEEPGADGETS_JOBS", str(tmp_path / "jobs"))
    kspace = scan(0, noise=0.01, size=16, acceleration=1)[0].data.numpy()[None, None, None]
    for module in (behind, detached):
        monkeypatch.setattr(module, "WAITING_BYTES", 2 * kspace.nbytes)

    def start(**properties):
        client = Client([recon_data(recon_buffer((1 + n) * kspace)) for n in range(SLICES)])
        given = {"method": "tests.support.methods.slow_fit", "preview": "rss", "detach": request.param == "detached"}
        connection = Connection(client, configuration(**given, **properties), header_xml((16, 16, 1)), stays=True)
        ended = threads.submit(reconstruct, connection)
        wait_until(lambda: len(client.sent) >= 3)
        return client, ended

    with ThreadPoolExecutor(1) as threads:
        yield start


def brightness(arrays):
    """Of images, relative to the first."""
    norms = [np.linalg.norm(array.data) for array in arrays]
    return np.array(norms) / norms[0]


def test_a_scan_waits_where_too_many_data_do(started, tmp_path):
    done = tmp_path / "done"
    client, ended = started(until=done, iterations=3, warm_start=False)
    # The third preview was sent before its data had to wait. A preview takes milliseconds.
    with pytest.raises(TimeoutError):
        ended.result(1.0)
    assert len(client.sent) == 3
    done.touch()
    ended.result(60.0)
    for job in jobs.known():
        wait_until(lambda name=job.id: jobs.find(name).state == "done")
    kept = [array for job in jobs.known() for array in jobs.images_of(job.id)]
    series = [int(array.headers["image_series_index"].flat[0]) for array in client.sent]
    previews = [array for array, number in zip(client.sent, series, strict=True) if number == 100]
    final = [array for array, number in zip(client.sent, series, strict=True) if number == 0] + kept
    for arrays in (previews, final):
        np.testing.assert_allclose(brightness(arrays), 1 + np.arange(SLICES), rtol=1e-4)


def test_a_scan_that_waits_ends_when_its_client_leaves(started):
    client, ended = started(iterations=EVER, seconds=0.01)
    client.left = True
    assert isinstance(ended.exception(20.0), Stopped)
    assert len(client.sent) == 3
    wait_until(lambda: not jobs.known())
