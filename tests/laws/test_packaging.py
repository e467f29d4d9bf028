"""What the packaging files promise each other."""

import configparser
import importlib
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def setup():
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg")
    return parser


def requirements(text):
    """Name and the rest of each line of requirements, names as package indexes compare them."""
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    names = [re.match(r"[\w.-]+", line.strip()) for line in lines]
    return {name[0].lower().replace("_", "-"): line for name, line in zip(names, lines, strict=True)}


def test_each_requirement_has_a_version_known_to_work(setup):
    needed = requirements(setup["options"]["install_requires"]) | requirements(setup["options.extras_require"]["test"])
    known = requirements((ROOT / "constraints.txt").read_text())
    assert set(needed) <= set(known)
    assert all("==" in line for line in known.values())


def test_packages_are_named_and_not_located():
    """Where packages come from is the choice of whoever installs them."""
    for name in ("constraints.txt", "setup.cfg", "pyproject.toml"):
        assert not re.search(r"https?:|file:/|--(extra-)?index|find-links", (ROOT / name).read_text()), name


SCRIPTS = sorted(path.stem for path in (ROOT / "tests" / "benchmarks").glob("*.py"))


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_benchmark_starts_where_its_command_says(name):
    """As `python -m tests.benchmarks.NAME` does; what it draws and compares with, it asks for when it comes to it."""
    importlib.import_module(f"tests.benchmarks.{name}")


def test_the_commands_of_the_docs_name_benchmarks_that_there_are():
    pages = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("tests/benchmarks/*.py")]
    text = "\n".join(page.read_text() for page in pages)
    assert "python tests/benchmarks" not in text
    assert set(re.findall(r"python -m tests\.benchmarks\.([a-z]\w*)", text)) <= set(SCRIPTS)


def test_the_readme_has_the_command_that_ci_runs():
    script = (ROOT / ".ci" / "run").read_text()
    extraction = re.search(r"\$\((awk .*? README\.md)\)", script, re.DOTALL)
    output = subprocess.run(["bash", "-c", extraction[1]], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert output.startswith("python3 -m venv")
    assert output.count("\n") == 1 and output.endswith("python -m pytest\n")


def test_pipelines_are_installed_where_a_gadgetron_looks(setup):
    assert setup["options.data_files"]["share/gadgetron/config"] == "pipelines/*.xml"
    assert setup["options.package_data"]["pipelines"] == "*.xml"
