"""Run a pipeline on an ISMRMRD file in this process."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from typing import Any


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("pipeline", help="name of a pipeline, or the path of its XML file")
    parser.add_argument("input", help="ISMRMRD file (HDF5)")
    parser.add_argument("-o", "--output", required=True, metavar="OUT.h5", help="ISMRMRD file for the images")
    parser.add_argument("--group", default="dataset", help="group of the input file (default: dataset)")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="GADGET.PROPERTY=VALUE",
        dest="settings",
        help="set a property of a gadget; may be given several times",
    )
    parser.add_argument("--png", metavar="DIR", help="write every image as PNG into this folder, too")
    parser.add_argument("--isolate", action="store_true", help="run every gadget as a process of its own")


def main(arguments: argparse.Namespace) -> int:
    import ismrmrd

    from pipelines.clients.dataset import Dataset
    from pipelines.clients.images import ImageWriter
    from pipelines.clients.progress import Progress
    from pipelines.clients.replay import find, replay, settings_of, with_png, with_settings

    pipeline = with_settings(find(arguments.pipeline), settings_of(arguments.settings))
    if arguments.png:
        pipeline = with_png(pipeline, arguments.png)
    with (
        Dataset(arguments.input, arguments.group) as dataset,
        Progress(dataset.n_acquisitions, title=pipeline.name) as progress,
        ImageWriter(arguments.output) as writer,
    ):
        items = counted(dataset.items(), progress)
        for item in replay(pipeline, dataset.header, items, isolate=arguments.isolate):
            if isinstance(item, ismrmrd.Image):
                writer.write(item)
    return report(writer.n_images, arguments.output)


def counted(items: Iterable[Any], progress: Any) -> Iterator[Any]:
    """The items, advancing a progress bar by the acquisitions among them."""
    for item in items:
        yield item
        progress.advance(len(item) if hasattr(item, "headers") else 0)


def report(images: int, output: str) -> int:
    """Say what came; the exit status is 1 when nothing did."""
    if not images:
        print(f"no images came; {output} was not written")
        return 1
    print(f"{images} image{'s' if images != 1 else ''} in {output}")
    return 0
