"""One server for most tests of the host. After each, it serves the next scan and holds no more than before."""

import pytest

from tests.support.server import held, serving, wait_until
from tests.support.small_scan import small_scan

SECRET = "a-word-that-no-client-must-see"


def serves(server):
    """The next scan gives its image."""
    scan = small_scan()
    reply = server.ask(*scan.session(), timeout=60.0)
    assert reply.errors == []
    (image,) = reply.images
    assert abs(image.data - scan.image).max() < 1e-5 * scan.image.max()
    assert reply.closed


def settled(server, before):
    """Whether the server holds no more than before; workers that it has replaced begin anew."""
    now = held(server)
    return len(now) == len(before) and all(before[pid].covers(now[pid]) for pid in now if pid in before)


def watched(server):
    """The server for one test, and then for the next scan."""
    before = held(server)
    yield server
    serves(server)
    wait_until(lambda: settled(server, before), 10.0, f"before {before}, now {held(server)}")


@pytest.fixture(scope="session")
def pipelines_folder(tmp_path_factory):
    """Where the servers look for pipelines, beside their own."""
    home = tmp_path_factory.mktemp("home")
    folder = home / "share" / "gadgetron" / "config"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture(scope="session")
def _server(tmp_path_factory, pipelines_folder):
    folder = tmp_path_factory.mktemp("server")
    home = str(pipelines_folder.parents[2])
    named = {"NAME_OF_DEFAULT": "default", "SECRET": SECRET, "GADGETRON_HOME": home}
    with serving(folder, "--workers", "1", "--idle-limit", "60", **named) as server:
        serves(server)
        before = held(server)
        yield server
        serves(server)
        wait_until(lambda: settled(server, before), 10.0, f"before {before}, in the end {held(server)}")


@pytest.fixture
def server(_server):
    yield from watched(_server)


@pytest.fixture(scope="session")
def _impatient(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("impatient"), "--workers", "1", "--idle-limit", "1") as server:
        serves(server)
        yield server


@pytest.fixture
def impatient(_impatient):
    """A server that ends a scan after one second of silence."""
    yield from watched(_impatient)


@pytest.fixture(scope="session")
def _isolating(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("isolating"), "--isolate") as server:
        assert server.ask(*small_scan().session("measurement_dependencies"), timeout=60.0).errors == []
        yield server


@pytest.fixture
def isolating(_isolating):
    """A server that runs every gadget as a process of its own."""
    before = held(_isolating)
    yield _isolating
    wait_until(lambda: settled(_isolating, before), 10.0, f"before {before}, now {held(_isolating)}")
