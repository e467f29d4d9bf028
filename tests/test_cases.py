"""End-to-end cases: a pipeline, its data, and how far its images may be from the reference. One YAML file each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ismrmrd
import numpy as np
import pytest
import torch
import yaml

from gadgets.mri.kspace import KSpace
from gadgets.mri.methods import create
from gadgets.mri.quality.errors import nrmse
from gadgets.mri.quality.support import support
from gadgets.stream.blocks import merge
from pipelines.clients.dataset import Dataset, read_images
from pipelines.clients.replay import find, replay, with_settings
from pipelines.clients.simulate import Scan, header_xml

CASES = {path.stem: yaml.safe_load(path.read_text()) for path in Path(__file__).parent.glob("cases/*.yaml")}
KNOWN = {"pipeline", "data", "scan", "simulate", "settings", "reference", "scaled", "inside", "error", "images"}


def images(items: Any) -> list[np.ndarray]:
    """The pixels (z, y, x) of the images among items."""
    return [np.abs(item.data[0]) for item in items if isinstance(item, ismrmrd.Image)]


def adaptive_combine(path: Path) -> np.ndarray:
    """The combined image (z, y, x) of a fully sampled two-dimensional file."""
    with Dataset(path) as dataset:
        block = merge(list(dataset.items()))
    kspace = np.zeros((*block.data.shape[1:2], 1, len(block), block.data.shape[2]), np.complex64)
    kspace[:, 0, block.headers["idx"]["kspace_encode_step_1"]] = block.data.swapaxes(0, 1)
    whole, method = KSpace.from_data(torch.from_numpy(kspace)), create("adaptive_combine", {})
    return np.abs(method(whole, method.calibrate(whole)).numpy()[0])


def compared(case: dict[str, Any], request: pytest.FixtureRequest) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """What the pipeline makes of the case's data, and the reference images in the same order."""
    pipeline = with_settings(find(case["pipeline"]), case.get("settings", {}))
    if "scan" in case:
        scan = {name: tuple(value) if isinstance(value, list) else value for name, value in case["scan"].items()}
        header = header_xml(Scan(**scan))
        source = {f"simulate.{name}": value for name, value in {**case["simulate"], "truth": "true"}.items()}
        items = list(replay(with_settings(find("simulate"), source), header, ()))
        scanned = [item for item in items if not isinstance(item, ismrmrd.Image)]
        made = [item for item in replay(pipeline, header, scanned) if isinstance(item, ismrmrd.Image)]
        truth = {(item.slice, item.phase): item for item in items if isinstance(item, ismrmrd.Image)}
        return images(made), images(truth[item.slice, item.phase] for item in made)
    folder = request.getfixturevalue("data_dir")
    with Dataset(folder / case["data"]) as dataset:
        made = images(replay(pipeline, dataset.header, dataset.items()))
    if "gadgetron" in case["reference"]:
        path = folder.parent / "reference" / case["reference"]["gadgetron"]
        if not path.exists():
            pytest.skip(f"no reference image {path.name} beside the scanner data")
        return made, images(image for series in read_images(path).values() for image in series)
    if "settings" in case["reference"]:
        other = with_settings(find(case["pipeline"]), case["reference"]["settings"])
        with Dataset(folder / case["data"]) as dataset:
            return made, images(replay(other, dataset.header, dataset.items()))
    if "scan" in case["reference"]:
        with Dataset(folder / case["reference"]["scan"]) as dataset:
            return made, images(replay(pipeline, dataset.header, dataset.items()))
    return made, [adaptive_combine(folder / case["reference"]["adaptive_combine"])]


def test_there_are_cases() -> None:
    assert CASES
    assert all(set(case) <= KNOWN for case in CASES.values())


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.data] if "data" in case else []) for name, case in CASES.items()]
)
def test_case(name: str, request: pytest.FixtureRequest) -> None:
    case = CASES[name]
    found, references = compared(case, request)
    assert len(found) == len(references) == case.get("images", 1)
    for image, reference in zip(found, references, strict=True):
        mask = support(reference) if case.get("inside") else None
        assert nrmse(image, reference, mask, scaled=case.get("scaled", False)) <= case["error"]
