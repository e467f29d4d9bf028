"""Choice of a method by name."""

import subprocess
import sys

import pytest

from gadgets.mri.methods import create, find, names
from gadgets.mri.methods.cg_sense import CgSense


def test_a_method_exists_because_its_file_does():
    assert {"adaptive_combine", "cg_sense", "rss"} <= set(names())
    for name in names():
        assert find(name).__module__ == f"gadgets.mri.methods.{name}"


def test_settings_may_be_text():
    assert create("cg_sense", {"iterations": "7", "damping": "0.01"}) == CgSense(iterations=7, damping=0.01)


@pytest.mark.parametrize("name", ["gadgets.mri.methods.cg_sense", "gadgets.mri.methods.cg_sense.CgSense"])
def test_a_dotted_name_is_imported(name):
    assert create(name) == CgSense()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("sens", "no method 'sens'; there are: .*cg_sense.*rss"),
        ("../rss", "no method"),
        ("nowhere.at_all", "no method 'nowhere.at_all': there is no module nowhere"),
        ("gadgets.mri.fft", "module gadgets.mri.fft has no class Fft"),
        ("gadgets.mri.methods.cg_sense.Sens", "has no class Sens"),
    ],
)
def test_an_unknown_method_is_refused(name, message):
    with pytest.raises(ValueError, match=message):
        create(name)


def test_an_unknown_setting_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="CgSense has no setting steps; it has: iterations, damping, tolerance"):
        create("cg_sense", {"steps": 3})


@pytest.mark.parametrize(
    "module", ["methods", "calibration.noise", "calibration.compression", "readout", "phantom.scan", "quality.errors"]
)
def test_starts_without_torch(module):
    code = f"import sys, gadgets.mri.{module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
