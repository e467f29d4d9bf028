"""What is true of every pipeline in the folder."""

from pathlib import Path

import pytest

from pipelines.host.config import Execute, parse, read
from pipelines.host.loader import load

ROOT = Path(__file__).parents[2]
PIPELINES = sorted((ROOT / "pipelines").glob("*.xml"))


def test_there_are_pipelines():
    assert {path.stem for path in PIPELINES} >= {
        "cartesian_rss",
        "cartesian_sense",
        "default",
        "measurement_dependencies",
        "simulate",
    }


@pytest.mark.parametrize("path", PIPELINES, ids=lambda path: path.stem)
def test_parses_and_is_the_same_when_written_again(path):
    pipeline = read(path)
    assert pipeline.nodes and pipeline.writers
    assert parse(pipeline.xml(), path.name) == pipeline


@pytest.mark.parametrize("path", PIPELINES, ids=lambda path: path.stem)
def test_runs_under_a_gadgetron_too(path):
    """There a node without a configuration has ``config`` None, and a stock gadget is Gadgetron's own."""
    for node in read(path).nodes:
        assert isinstance(node, Execute)
        assert b"<configuration" in node.configuration


@pytest.mark.parametrize("path", PIPELINES, ids=lambda path: path.stem)
def test_loads_as_a_client_would_have_it(path):
    for node in read(path).nodes:
        assert load(node, trusted=False).label == node.label
