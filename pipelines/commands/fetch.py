"""Fetch the images of a scan that ended before they were made, or list such scans."""

from __future__ import annotations

import argparse
import importlib


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", nargs="?", help="ID of the job, as the scan's client was told (default: list those here)")
    parser.add_argument("-o", "--output", metavar="OUT.h5", help="ISMRMRD file for the images")
    parser.add_argument(
        "--from", dest="server", metavar="HOST:PORT", help="server that has them (default: the folder of this machine)"
    )
    parser.add_argument("--pipeline", default="fetch", help="what is done to the images (default: fetch)")


def main(arguments: argparse.Namespace) -> int:
    if arguments.id is None:
        if arguments.server:
            raise ValueError("a server does not say which jobs it has: give an ID, as the scan's client was told")
        for job in importlib.import_module("gadgets.jobs").known():
            print(job)
        return 0
    if not arguments.output:
        raise ValueError("-o OUT.h5 says where to write the images")

    import ismrmrd

    from pipelines.clients.images import ImageWriter
    from pipelines.clients.replay import find, replay, with_settings
    from pipelines.clients.send import address_of, send
    from pipelines.commands.run import report

    pipeline = with_settings(find(arguments.pipeline), {"fetch.id": arguments.id})
    if arguments.server:
        host, port = address_of("--from", arguments.server)
        received = iter(send((), None, config_xml=pipeline.xml(), host=host, port=port))
    else:
        received = replay(pipeline, importlib.import_module("gadgets.jobs").header_of(arguments.id), ())
    with ImageWriter(arguments.output) as writer:
        for item in received:
            if isinstance(item, ismrmrd.Image):
                writer.write(item)
    return report(writer.n_images, arguments.output)
