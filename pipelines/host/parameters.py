"""FIRE's JSON parameters: a TEXT after the header that sets properties of gadgets.

`{"version": "1.0", "parameters": {"method": "cg_sense", "noise_adjust.perform_noise_adjust": false}}`: a plain name
sets the property in every gadget that declares it, `gadget.property` in that one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from . import loader
from .nodes import Connect, Pipeline


def parse(text: str) -> dict[str, str] | None:
    """The parameters in a TEXT, as property values; None for a text that carries none."""
    try:
        document = json.loads(text)
    except ValueError:
        return None
    values = document.get("parameters") if isinstance(document, dict) else None
    if not isinstance(values, dict):
        return None
    return {str(name): _value(value) for name, value in values.items()}


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ",".join(map(_value, value))
    return str(value)


def apply(
    pipeline: Pipeline, values: Mapping[str, str], *, allow: Sequence[str], trusted: bool
) -> tuple[Pipeline, list[str]]:
    """The pipeline with its gadgets' properties set, and the names that no gadget has.

    Gadgets are loaded to see what they declare, under the same rules as when the chain is made. Raises ConfigError
    for a value that a client may not set.
    """
    targets = {
        node.label: loader.load(node, allow=allow, trusted=trusted).target
        for node in pipeline.nodes
        if not isinstance(node, Connect)
    }
    declared = {
        node.label: {*node.properties, *getattr(targets.get(node.label), "properties", ())} for node in pipeline.nodes
    }
    ignored = []
    for name, value in values.items():
        loader.check_client_property(name.rpartition(".")[2], value, allow=allow)
        label, _, own = name.rpartition(".")
        found = [label] if label in declared else [other for other, known in declared.items() if name in known]
        if not found:
            ignored.append(name)
        for gadget in found:
            known = own if gadget == label else name
            if known in loader.paths(targets.get(gadget)):
                raise loader.ConfigError(f"{known!r} of {gadget} is where files are written: not a client's to choose")
            pipeline = pipeline.with_property(gadget, known, value)
    return pipeline, ignored
