"""A pipeline as plain values: the nodes of a chain, and the error that names a place in its XML."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from pipelines.host import configuration as document
from pipelines.host.xml import Element, serialise


class ConfigError(ValueError):
    """A pipeline that cannot be used, in one line: where, and why, and what there is instead."""

    def __init__(self, what: str, *, place: str = "") -> None:
        message = f"{place}: {what}" if place else what
        super().__init__(" ".join(message.splitlines()))


def place(file: str, line: int, label: str = "") -> str:
    """``cartesian.xml, line 12, gadget noise_adjust``, of which file and label may be empty."""
    return ", ".join(part for part in (file, f"line {line}", label and f"gadget {label}") if part)


def snake(classname: str) -> str:
    """The gadget that a Gadgetron class name means: ``RemoveROOversamplingGadget`` is remove_ro_oversampling.

    Namespaces and the ending ``Gadget`` go; a run of capitals is one word, without its last
    letter where a small one follows.
    """
    name = classname.strip().replace("::", ".").rsplit(".", 1)[-1]
    name = name.removesuffix("Gadget") or name
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


@dataclass(frozen=True)
class Format:
    """A reader or a writer of one kind of message, by the names that Gadgetron gives it."""

    dll: str
    classname: str
    slot: int | None = None

    def element(self, tag: str) -> Element:
        """As a ``reader`` or ``writer`` element."""
        slot = () if self.slot is None else (Element("slot", text=str(self.slot)),)
        return Element(tag, children=(*slot, Element("dll", text=self.dll), Element("classname", text=self.classname)))


@dataclass(frozen=True, kw_only=True)
class _Node:
    """What every node has: ``label`` is its name in messages and overrides, unique in its pipeline."""

    label: str = ""
    properties: Mapping[str, str] = field(default_factory=dict)
    file: str = field(default="", compare=False)
    line: int = field(default=0, compare=False)

    @property
    def place(self) -> str:
        """Where the node stands, for messages."""
        return place(self.file, self.line, self.label)


@dataclass(frozen=True, kw_only=True)
class Gadget(_Node):
    """A stock ``gadget`` element: a class out of a library, by name."""

    name: str
    dll: str
    classname: str

    @property
    def configuration(self) -> bytes:
        """The properties as the configuration document of an external gadget."""
        return document.with_properties(serialise(Element("configuration")), self.properties)

    def element(self) -> Element:
        """As a ``gadget`` element."""
        names = (("name", self.name), ("dll", self.dll), ("classname", self.classname))
        properties = (document.property_element(*item) for item in self.properties.items())
        return Element("gadget", children=(*(Element(tag, text=text) for tag, text in names), *properties))


@dataclass(frozen=True, kw_only=True)
class _External(_Node):
    """A gadget behind a connection, which is sent ``configuration`` as message 2."""

    configuration: bytes = document.NONE
    readers: tuple[Format, ...] = ()
    writers: tuple[Format, ...] = ()

    def _element(self, how: Element) -> Element:
        own = document.element(self.configuration)
        children = [how] if own is None else [how, own]
        if self.readers:
            children.append(_formats("reader", self.readers))
        if self.writers:
            children.append(_formats("writer", self.writers))
        return Element("external", children=tuple(children))


@dataclass(frozen=True, kw_only=True)
class Execute(_External):
    """``external`` with ``execute``: the function or class ``target`` of a Python module."""

    module: str
    target: str
    type: str = "python"

    def element(self) -> Element:
        """As an ``external`` element."""
        return self._element(Element("execute", {"name": self.module, "target": self.target, "type": self.type}))


@dataclass(frozen=True, kw_only=True)
class Connect(_External):
    """``external`` with ``connect``: a gadget that already listens somewhere."""

    port: int
    address: str = "localhost"

    def element(self) -> Element:
        """As an ``external`` element."""
        return self._element(Element("connect", {"address": self.address, "port": str(self.port)}))


Node = Gadget | Execute | Connect
AnyNode = TypeVar("AnyNode", bound=Node)


@dataclass(frozen=True, kw_only=True)
class Pipeline:
    """A chain of gadgets, and the kinds of message read and written at its two ends."""

    name: str
    version: int = 2
    readers: tuple[Format, ...] = ()
    writers: tuple[Format, ...] = ()
    nodes: tuple[Node, ...] = ()

    def with_property(self, label: str, name: str, value: str) -> Pipeline:
        """The same pipeline with one property of the gadget ``label`` set to ``value``.

        Raises ConfigError, with the labels there are, where no gadget has that one.
        """
        labels = [node.label for node in self.nodes]
        if label not in labels:
            raise ConfigError(f"no gadget {label!r}; there are: {', '.join(labels)}", place=self.name)
        nodes = (set_properties(node, {name: value}) if node.label == label else node for node in self.nodes)
        return replace(self, nodes=tuple(nodes))

    def xml(self) -> bytes:
        """The pipeline in version 2 of Gadgetron's XML, whichever dialect it was read from."""
        children = (
            Element("version", text="2"),
            _formats("reader", self.readers),
            _formats("writer", self.writers),
            Element("stream", children=tuple(node.element() for node in self.nodes)),
        )
        return serialise(Element("configuration", children=children))


def set_properties(node: AnyNode, changes: Mapping[str, str]) -> AnyNode:
    """``node`` with ``changes`` in its properties, and in its configuration document.

    Raises ConfigError for characters that XML cannot hold.
    """
    properties = {**node.properties, **changes}
    try:
        changed = document.with_properties(node.configuration, changes)
    except ValueError as error:
        raise ConfigError(str(error), place=node.place) from None
    if isinstance(node, Gadget):
        return replace(node, properties=properties)
    return replace(node, properties=properties, configuration=changed)


def _formats(tag: str, formats: tuple[Format, ...]) -> Element:
    return Element(f"{tag}s", children=tuple(wire.element(tag) for wire in formats))
