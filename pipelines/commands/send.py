"""Send an ISMRMRD file to a server and take its images."""

from __future__ import annotations

import argparse
import sys


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("pipeline", help="name of a pipeline on the server, or the path of an XML file to send")
    parser.add_argument("input", help="ISMRMRD file (HDF5)")
    parser.add_argument("--to", default="127.0.0.1:9002", metavar="HOST:PORT", help="server (default: 127.0.0.1:9002)")
    parser.add_argument(
        "-o", "--output", metavar="OUT.h5", help="ISMRMRD file for the images; without it none are awaited"
    )
    parser.add_argument("--group", default="dataset", help="group of the input file (default: dataset)")
    parser.add_argument(
        "--pace",
        default="none",
        metavar="real|FACTOR|none",
        help="as fast as the scanner was, FACTOR times as fast, or as fast as possible (default: none)",
    )


def main(arguments: argparse.Namespace) -> int:
    import contextlib
    from pathlib import Path

    import ismrmrd

    from pipelines.clients.dataset import Dataset
    from pipelines.clients.images import ImageWriter
    from pipelines.clients.progress import Progress
    from pipelines.clients.send import address_of, is_error, send
    from pipelines.commands.run import counted, report

    def tell(text: str) -> None:
        # Errors end the session, and are told then.
        if not is_error(text):
            print(text, file=sys.stderr)

    host, port = address_of("--to", arguments.to)
    path = Path(arguments.pipeline)
    local = path.suffix == ".xml" and path.is_file()
    with contextlib.ExitStack() as stack:
        dataset = stack.enter_context(Dataset(arguments.input, arguments.group))
        progress = stack.enter_context(Progress(dataset.n_acquisitions, title=arguments.pipeline))
        writer = stack.enter_context(ImageWriter(arguments.output)) if arguments.output else None
        received = send(
            counted(dataset.items(), progress),
            dataset.header,
            config_name=None if local else arguments.pipeline,
            config_xml=path.read_bytes() if local else None,
            host=host,
            port=port,
            pace=arguments.pace,
            on_text=tell,
        )
        for item in received:
            if isinstance(item, ismrmrd.Image) and writer is not None:
                writer.write(item)
    return report(writer.n_images, arguments.output) if writer is not None else 0
