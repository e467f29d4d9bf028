"""Say what is in a file, and what would go wrong."""

from __future__ import annotations

import argparse


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("input", help="ISMRMRD file (HDF5)")
    parser.add_argument("pipeline", nargs="?", help="name of a pipeline, or the path of its XML file, to load as well")
    parser.add_argument("--group", default="dataset", help="group of the input file (default: dataset)")


def main(arguments: argparse.Namespace) -> int:
    from pipelines.clients.check import check
    from pipelines.clients.replay import find
    from pipelines.host.assembly import assemble
    from pipelines.host.nodes import ConfigError

    failed = False
    for finding in check(arguments.input, group=arguments.group):
        print(finding)
        failed = failed or finding.severity == "error"
    if arguments.pipeline:
        try:
            steps = assemble(find(arguments.pipeline))
        except ConfigError as error:
            print(f"error: {error}")
            return 1
        print(f"{arguments.pipeline} loads: {' > '.join(step.label for step in steps)}")
    return 1 if failed else 0
