"""List pipelines, gadgets and methods."""

from __future__ import annotations

import argparse
import importlib
import inspect


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "what", nargs="?", choices=("pipelines", "gadgets", "methods"), help="only these (default: all)"
    )


def main(arguments: argparse.Namespace) -> int:
    import pipelines
    from pipelines.host import config, loader
    from pipelines.host.nodes import Connect

    if arguments.what in (None, "pipelines"):
        print("Pipelines")
        for name in pipelines.names():
            nodes = config.read(pipelines.find(name)).nodes
            labels = [f"{n.address}:{n.port}" if isinstance(n, Connect) else n.label for n in nodes]
            print(f"  {name:<26} {' > '.join(labels)}")
    if arguments.what in (None, "gadgets"):
        print("Gadgets")
        for name in loader.gadget_names():
            print(f"  {name:<32} {summary(getattr(importlib.import_module(f'gadgets.{name}'), name))}")
    if arguments.what in (None, "methods"):
        print("Methods (the property `method` of reconstruct)")
        methods = importlib.import_module("gadgets.mri.methods")
        for name in methods.names():
            print(f"  {name:<32} {summary(type(methods.create(name, {})))}")
    return 0


def summary(thing: object) -> str:
    """The first line of a docstring."""
    return (inspect.getdoc(thing) or "").partition("\n")[0]
