import re
import subprocess
import sys

import pytest

from pipelines.host.queries import answer
from tests.support.server import ROOT

KEYS = [
    "ismrmrd::version",
    "gadgetron::version",
    "gadgetron::build",
    "gadgetron::info",
    "gadgetron::info::memory",
    "gadgetron::info::python",
    "gadgetron::info::matlab",
    "gadgetron::info::cuda",
    "gadgetron::cuda::devices",
    "gadgetron::cuda::driver",
    "gadgetron::cuda::runtime",
    "gadgetron::cuda::memory",
    "gadgetron::cuda::capabilities",
]


@pytest.mark.parametrize("key", KEYS)
def test_every_key_has_an_answer(key):
    assert answer(key) and answer(key) != "Unknown query"


@pytest.mark.parametrize("key", ["", "gadgetron", "gadgetron::info::", "__class__", "gadgetron::info\0"])
def test_another_question_is_unknown(key):
    assert answer(key) == "Unknown query"


def test_the_information_is_in_the_layout_that_gadgetrons_tests_read():
    """They look for the name, a colon, and the value."""

    def value(name):
        (found,) = re.findall(rf"{name}\s*:\s*(.+)", answer("gadgetron::info"))
        return found

    assert value("Version") == answer("gadgetron::version")
    assert value("Git SHA1")
    assert re.fullmatch(r"\d+ MB", value("System Memory size"))
    assert value("Python Support") == "YES"
    assert value("Julia Support") == value("Matlab Support") == "NO"
    assert value("CUDA Support") in ("YES", "NO")


def test_versions_and_numbers():
    assert re.match(r"\d+\.\d+", answer("ismrmrd::version"))
    assert int(answer("gadgetron::info::memory")) > 1 << 28
    assert int(answer("gadgetron::cuda::devices")) >= 0
    assert (answer("gadgetron::info::cuda") == "YES") == (int(answer("gadgetron::cuda::devices")) > 0)


def test_a_question_imports_no_torch():
    """A worker has it anyway, where a pipeline needs it."""
    code = f"""
import sys
from pipelines.host.queries import answer
for key in {KEYS}: answer(key)
sys.exit("torch" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, timeout=60).returncode == 0
