"""Who may import whom: the contracts of setup.cfg, and the rules that hold for whatever files there are."""

import subprocess
import sys
from pathlib import Path

import grimp
import pytest

from pipelines.host.loader import gadget_names

ROOT = Path(__file__).parents[2]

# These run as processes of their own under a Gadgetron, or answer before anything else is ready:
# the seconds that torch takes to start would be the patient's.
WITHOUT_TORCH = [
    "gadgets.acquisition_accumulate_trigger",
    "gadgets.asymmetric_echo_adjust_ro",
    "gadgets.bucket_to_buffer",
    "gadgets.coil_compression",
    "gadgets.noise_adjust",
    "gadgets.properties",
    "gadgets.remove_ro_oversampling",
    "gadgets.stream",
    "gadgets.stream.codec",
    "gadgets.stream.connection",
    "pipelines",
    "pipelines.__main__",
    "pipelines.host.config",
    "pipelines.host.loader",
    "pipelines.host.server",
]

MAY_IMPORT_SOCKETS = {
    "gadgets.stream.peer",
    "gadgets.stream.transport",
    "pipelines.host.external",
    "pipelines.host.frames",
    "pipelines.host.input",
    "pipelines.host.pool",
    "pipelines.host.server",
    "pipelines.host.session",
    "pipelines.host.worker",
}
SOCKETS = ("asyncio", "select", "selectors", "socket", "socketserver", "ssl")


@pytest.fixture(scope="module")
def graph():
    return grimp.build_graph("gadgets", "pipelines", include_external_packages=True, cache_dir=None)


def test_the_contracts_of_setup_cfg():
    # In a process of its own: the linter switches the log messages of this one off.
    code = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert found.returncode == 0, found.stdout


def test_gadgets_do_not_import_one_another(graph):
    gadgets = {f"gadgets.{name}" for name in gadget_names()}
    found = {(name, other) for name in gadgets for other in graph.find_modules_directly_imported_by(name) & gadgets}
    assert not found


def test_numerics_import_nothing_beside_them(graph):
    mri = {"gadgets.mri"} | graph.find_descendants("gadgets.mri")
    ours = {name for name in graph.modules if name.split(".")[0] in ("gadgets", "pipelines")}
    found = {(name, other) for name in mri for other in graph.find_modules_directly_imported_by(name) & ours - mri}
    assert not found


@pytest.mark.parametrize("module", SOCKETS)
def test_sockets_stay_at_the_edge(graph, module):
    if module not in graph.modules:
        return
    importers = graph.find_modules_that_directly_import(module)
    assert {name for name in importers if not name.startswith("pipelines.clients.")} <= MAY_IMPORT_SOCKETS


@pytest.mark.parametrize("module", WITHOUT_TORCH)
def test_imports_without_torch(module):
    code = f"import sys, {module}; sys.exit('torch' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr or f"importing {module} imports torch"
