"""From a pipeline's nodes to the steps of a chain."""

from __future__ import annotations

from collections.abc import Sequence

from . import external, loader
from .chain import Step
from .nodes import Connect, Pipeline


def assemble(
    pipeline: Pipeline, *, isolate: bool = False, allow: Sequence[str] = (), trusted: bool = True
) -> list[Step]:
    """Load every node. With `isolate` each gadget runs as a child process, as under a Gadgetron.

    Raises ConfigError for a node that cannot be loaded; a client's pipeline (not `trusted`) may not reach out to
    other addresses.
    """
    steps = []
    for node in pipeline.nodes:
        if isinstance(node, Connect):
            if not trusted:
                raise loader.ConfigError("a client's pipeline may not connect to other servers", place=node.place)
            reach = external.peer(node.address, node.port)
            steps.append(Step(node.label, reach, node.configuration, copying=False, here=False))
            continue
        loaded = loader.load(node, allow=allow, trusted=trusted)
        if isolate:
            module, target = loader.module_and_target(node)
            child = external.child(module, target)
            steps.append(Step(node.label, child, loaded.configuration, copying=False, here=False))
        else:
            steps.append(Step.of(loaded))
    return steps
