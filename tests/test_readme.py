"""What the README shows works as it stands."""

from __future__ import annotations

import re
from pathlib import Path

import ismrmrd
import numpy as np
import pytest

from pipelines.clients.acquisition_writer import AcquisitionWriter
from pipelines.clients.replay import find, replay, run
from pipelines.clients.simulate import Scan, header_xml

README = (Path(__file__).parents[1] / "README.md").read_text()


def example(name: str) -> str:
    found = re.search(rf"<!-- {name} -->\n```\w+\n(.*?)```", README, re.DOTALL)
    assert found, name
    return found.group(1)


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    header = header_xml(Scan(matrix=(32, 32, 1), coils=2, acs=0))
    with AcquisitionWriter(tmp_path / "scan.h5", header) as writer:
        for item in replay(find("simulate"), header, ()):
            writer.write(item)
    return tmp_path / "scan.h5"


def test_the_example_gadget_in_the_example_pipeline(scan: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (scan.parent / "my_gadgets.py").write_text(example("example-gadget"))
    (scan.parent / "my_pipeline.xml").write_text(example("example-pipeline"))
    monkeypatch.syspath_prepend(str(scan.parent))
    (plain,) = run("default", scan)
    (inverted,) = run(scan.parent / "my_pipeline.xml", scan, settings={"invert.white": "2.5"})
    assert isinstance(inverted, ismrmrd.Image)
    np.testing.assert_allclose(inverted.data, 2.5 - plain.data, atol=1e-4 * plain.data.max())


def test_the_example_gadget_is_as_short_as_promised() -> None:
    code = [line for line in example("example-gadget").splitlines() if line.strip()]
    assert len(code) <= 12


def test_commands_that_are_shown_exist() -> None:
    from pipelines.commands import NAMES

    shown = set(re.findall(r"deepgadgets (\w+)", README)) - {"demo"}
    assert shown <= set(NAMES)
    assert {"run", "serve", "send", "simulate"} <= shown
