"""Run a pipeline on recorded data in this process, without any server."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import ismrmrd

import pipelines
from gadgets.stream.errors import Stopped
from pipelines.host import config
from pipelines.host.assembly import assemble
from pipelines.host.chain import Chain
from pipelines.host.nodes import ConfigError, Execute, Pipeline, set_properties

from .dataset import Dataset

STOP_SECONDS = 10.0


def find(name: str | Path) -> Pipeline:
    """A pipeline by the path of its file, or by its name. Raises ConfigError."""
    path = Path(name)
    if path.suffix == ".xml" and path.is_file():
        return config.read(path)
    return config.read(pipelines.find(str(name)))


def with_settings(pipeline: Pipeline, settings: Mapping[str, str]) -> Pipeline:
    """The pipeline with `gadget.property` settings applied. Raises ConfigError for one that names no gadget."""
    for name, value in settings.items():
        label, _, own = name.rpartition(".")
        if not label:
            raise ConfigError(f"{name!r} names no property; write gadget.property=value", place=pipeline.name)
        pipeline = pipeline.with_property(label, own, value)
    return pipeline


def replay(pipeline: Pipeline, header: bytes, items: Iterable[Any], *, isolate: bool = False) -> Iterator[Any]:
    """Everything that the pipeline makes of `items`, as it comes.

    Raises ConfigError for a pipeline that cannot be loaded, ChainFailed (naming the gadget) when one fails, and
    whatever reading the items raises. Leaving the iteration stops the chain.
    """
    chain = Chain(assemble(pipeline, isolate=isolate), header, on_failure=lambda failure: None)
    problems: list[BaseException] = []

    def feed() -> None:
        try:
            for item in items:
                chain.put(item)
            chain.input.close()
        except Stopped:
            return
        except BaseException as error:
            problems.append(error)
            chain.stop()

    feeder = threading.Thread(target=feed, name="replay", daemon=True)
    chain.start()
    feeder.start()
    try:
        while made := chain.output.get():
            for item in made:
                chain.left(item)
                yield item
    finally:
        chain.stop()
        feeder.join(STOP_SECONDS)
        chain.finish(STOP_SECONDS)
        chain.times.complete()
    for problem in problems:
        raise problem
    if chain.failure is not None:
        raise chain.failure


def run(
    pipeline: str | Path,
    path: str | Path,
    *,
    settings: Mapping[str, str] | None = None,
    group: str = "dataset",
    isolate: bool = False,
) -> Iterator[ismrmrd.Image]:
    """The images that a pipeline (a name, or an XML file) makes of an ISMRMRD file, as they come."""
    loaded = with_settings(find(pipeline), settings or {})
    with Dataset(path, group) as dataset:
        for item in replay(loaded, dataset.header, dataset.items(), isolate=isolate):
            if isinstance(item, ismrmrd.Image):
                yield item


def settings_of(assignments: Sequence[str]) -> dict[str, str]:
    """`gadget.property=value` texts as a mapping. Raises ConfigError for one without `=`."""
    settings = {}
    for assignment in assignments:
        name, equals, value = assignment.partition("=")
        if not equals:
            raise ConfigError(f"{assignment!r} is not gadget.property=value")
        settings[name.strip()] = value
    return settings


def with_png(pipeline: Pipeline, folder: str) -> Pipeline:
    """The pipeline with a gadget at its end that writes every image as PNG into `folder`."""
    node = Execute(label="save_png", module="gadgets.save_png", target="save_png")
    return replace(pipeline, nodes=(*pipeline.nodes, set_properties(node, {"folder": folder})))
