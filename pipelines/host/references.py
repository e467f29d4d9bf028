"""Properties that take their value from a property of another gadget: ``value="name@gadget"``."""

from __future__ import annotations

from collections.abc import Mapping

from pipelines.host.nodes import ConfigError, Gadget, Node, set_properties


def resolve(nodes: tuple[Node, ...]) -> tuple[Node, ...]:
    """``nodes`` with each reference replaced by what it refers to.

    A gadget is meant by its label or by its name. An @ before anything else is text like any
    other: an address or a path. Raises ConfigError for a cycle, and for a property that the
    other gadget does not set.
    """
    gadgets: dict[str, Node] = {}
    for node in nodes:
        gadgets.setdefault(node.label, node)
        if isinstance(node, Gadget):
            gadgets.setdefault(node.name, node)
    return tuple(_resolved(node, gadgets) for node in nodes)


def _resolved(node: Node, gadgets: Mapping[str, Node]) -> Node:
    values = {name: _value(node, name, gadgets) for name in node.properties}
    changes = {name: value for name, value in values.items() if value != node.properties[name]}
    return set_properties(node, changes)


def _value(node: Node, name: str, gadgets: Mapping[str, Node]) -> str:
    first, passed = node, [f"{name}@{node.label}"]
    while True:
        value = node.properties[name]
        wanted, at, gadget = value.partition("@")
        if not at or gadget not in gadgets:
            return value
        node, name = gadgets[gadget], wanted
        if name not in node.properties:
            known = ", ".join(node.properties) or "none"
            raise ConfigError(f"{value!r}: {gadget} does not set {name!r}; it sets: {known}", place=first.place)
        step = f"{name}@{node.label}"
        if step in passed:
            raise ConfigError(f"property references in a circle: {' -> '.join([*passed, step])}", place=first.place)
        passed.append(step)
