"""Show a pipeline: its gadgets, their properties and values."""

from __future__ import annotations

import argparse
from typing import Any


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("pipeline", help="name of a pipeline, or the path of its XML file")
    parser.add_argument("--xml", action="store_true", help="print its XML (version 2) instead")


def main(arguments: argparse.Namespace) -> int:
    from pipelines.clients.replay import find
    from pipelines.commands.list import summary
    from pipelines.host import loader
    from pipelines.host.nodes import Connect

    pipeline = find(arguments.pipeline)
    if arguments.xml:
        print(pipeline.xml().decode())
        return 0
    print(pipeline.name)
    for node in pipeline.nodes:
        if isinstance(node, Connect):
            print(f"\n{node.label}  (a gadget that listens at {node.address}:{node.port})")
            continue
        target = loader.load(node).target
        module, attribute = loader.module_and_target(node)
        print(f"\n{node.label}  ({module}.{attribute})\n    {summary(target)}")
        declared: dict[str, Any] = getattr(target, "properties", {})
        for name in {**declared, **node.properties}:
            known = declared.get(name)
            value = node.properties.get(name)
            default = "" if known is None or known.default is ... else f"default {_text(known.default)}"
            kind = known.type_name if known is not None else "setting of the method"
            given = f"= {value}" if value is not None else ""
            print(f"    {name:<38} {given:<16} {kind}{', ' if default else ''}{default}")
    return 0


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return repr(value) if isinstance(value, str) else str(value)
