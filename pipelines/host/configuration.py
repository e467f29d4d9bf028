"""The configuration document: what an external gadget is sent as message 2 before anything else.

It is the ``configuration`` element of the pipeline with an XML declaration, or the declaration
alone where the pipeline has no such element.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from pipelines.host.xml import DECLARATION, Element, parse, serialise

NONE = DECLARATION


def element(document: bytes) -> Element | None:
    """The ``configuration`` element of a document, None where it has none."""
    return None if document == NONE else parse(document)


def with_properties(document: bytes, properties: Mapping[str, str]) -> bytes:
    """``document`` with each property replaced where it stands, or else put last.

    Raises ValueError for a name or value with characters that XML cannot hold.
    """
    if not properties:
        return document
    root = element(document) or Element("configuration")
    left = dict(properties)
    children = []
    for child in root:
        name = _name(child)
        if name in left:
            child = replace(property_element(name, left.pop(name)), tail=child.tail)
        children.append(child)
    children += [property_element(name, value) for name, value in left.items()]
    return serialise(replace(root, children=tuple(children)))


def property_element(name: str, value: str) -> Element:
    """``<property name="..." value="..."/>``."""
    return Element("property", {"name": name, "value": value})


def _name(child: Element) -> str | None:
    """The name of a property in either spelling, attributes or children; None for another element."""
    if child.tag != "property":
        return None
    return child.attrib.get("name", "".join(part.text for part in child if part.tag == "name")).strip()
