"""What to cite for a pipeline."""

from argparse import Namespace
from pathlib import Path

import pytest

from pipelines.commands import cite
from tests.support.server import node, pipeline

PIPELINES = sorted(path.stem for path in (Path(__file__).parents[2] / "pipelines").glob("*.xml"))


@pytest.mark.parametrize("name", PIPELINES)
def test_every_pipeline_can_be_cited(name, capsys):
    assert cite.main(Namespace(pipeline=name)) == 0
    assert capsys.readouterr().out


def test_papers_of_gadgets_and_methods_are_named(capsys):
    cite.main(Namespace(pipeline="snr_gfactor"))
    said = capsys.readouterr().out
    for doi in ("10.1002/mrm.20713", "10.1002/mrm.22066", "10.1002/mrm.10171"):
        assert f"https://doi.org/{doi}" in said
    assert "gfactor, method grappa: Griswold et al." in said


def test_papers_of_what_serves_instead_are_named(tmp_path, capsys):
    file = tmp_path / "guarded.xml"
    properties = {"method": "modl", "model": "any", "fallback": "cg_sense", "preview": "grappa"}
    file.write_bytes(pipeline(node("reconstruct", "gadgets.reconstruct", **properties)))
    cite.main(Namespace(pipeline=str(file)))
    said = capsys.readouterr().out
    assert "reconstruct, method modl: Aggarwal" in said
    assert "reconstruct, fallback cg_sense: Pruessmann" in said
    assert "reconstruct, preview grappa: Griswold" in said
