"""What to cite for a pipeline: the papers of its gadgets and methods."""

from __future__ import annotations

import argparse
import importlib
import inspect
import re


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("pipeline", help="name of a pipeline, or the path of its XML file")


def main(arguments: argparse.Namespace) -> int:
    from pipelines.clients.replay import find
    from pipelines.host import loader
    from pipelines.host.nodes import Connect

    found = 0
    for node in find(arguments.pipeline).nodes:
        if isinstance(node, Connect):
            continue
        target = loader.load(node).target
        sources = [(node.label, target)]
        declared = getattr(target, "properties", {})
        property_ = declared.get("method")
        method = node.properties.get("method", getattr(property_, "default", None))
        # A method by any name is one of reconstruction; where there is a choice of a few, it is the gadget's own.
        if method and getattr(property_, "annotation", None) is str:
            settings = {name: value for name, value in node.properties.items() if name not in declared}
            methods = importlib.import_module("gadgets.mri.methods")
            sources.append((f"{node.label}, method {method}", type(methods.create(method, settings))))
            for role in ("fallback", "preview"):
                if other := node.properties.get(role):
                    sources.append((f"{node.label}, {role} {other}", methods.find(other)))
        for label, source in sources:
            for paper in papers(inspect.getdoc(source) or ""):
                print(f"{label}: {paper}")
                found += 1
    if not found:
        print("no gadget of this pipeline names a paper")
    return 0


def papers(docstring: str) -> list[str]:
    """The lines of a docstring that hold a DOI, with the line before where the DOI stands alone, and it as a link."""
    found = []
    for match in re.finditer(r"(?:^|\n)(?:[^\n]*\n\s*(?=doi:))?([^\n]*?)doi:\s*(\S+)", docstring):
        text = " ".join(match.group(0).partition("doi:")[0].split()).rstrip(" ,;(")
        found.append(f"{text} https://doi.org/{match.group(2).rstrip('.,;)')}")
    return found
