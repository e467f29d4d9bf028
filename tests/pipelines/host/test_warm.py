"""A warm worker starts no interpreter for a scan, and imports nothing that an earlier one has imported."""

import re
import subprocess
import sys

import pipelines
from gadgets.stream.control import Close, Config, Header
from tests.support.server import children, environment
from tests.support.small_scan import small_scan


def modules_after(server):
    """The worker's process and modules, after a scan through the shipped SENSE pipeline."""
    xml = pipelines.find("cartesian_sense").read_text()
    node = '<external><execute name="tests.support.gadgets.modules" target="modules" type="python"/></external>'
    # Its writer lets images through only; the text is for this test.
    xml = re.sub(r"<writers>.*</writers>", "<writers/>", xml, flags=re.DOTALL).replace("</stream>", f"{node}</stream>")
    scan = small_scan()
    reply = server.ask(Config(xml.encode()), Header(scan.header), *scan.lines, Close())
    assert reply.errors == [], reply.errors
    assert len(reply.images) == 1
    pid, *found = reply.texts[-1].split()
    return int(pid), set(found)


def test_later_scans_import_nothing(server):
    first_worker, first = modules_after(server)
    second_worker, second = modules_after(server)
    assert first_worker == second_worker == server.workers[0]
    assert "torch" in first
    assert second == first
    assert children(first_worker) == []


def test_warming_imports_what_the_pipelines_name():
    names = [f"gadgets.{name}" for name in ("noise_adjust", "coil_sensitivities", "reconstruct", "simple_recon")]
    code = f"import sys; from pipelines.host.worker import warm; warm(); sys.exit(not set({names}) <= set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], env=environment(), check=False).returncode == 0
