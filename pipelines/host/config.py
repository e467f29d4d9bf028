"""Gadgetron's pipeline XML, both dialects, read into the plain values of ``nodes``.

``<configuration>`` with ``<version>2</version>`` is the present dialect; the older root
``<gadgetronStreamConfiguration>`` holds readers, writers and gadgets without groups. A
``PythonGadget`` of the older one becomes an ``Execute``, as in Gadgetron itself. Whatever would
run otherwise than the file says is refused, with the file, the line and what there is instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from pipelines.host import configuration as document
from pipelines.host.checked import Checked
from pipelines.host.formats import READERS, WRITERS
from pipelines.host.nodes import (
    ConfigError,
    Connect,
    Execute,
    Format,
    Gadget,
    Node,
    Pipeline,
    place,
    set_properties,
    snake,
)
from pipelines.host.references import resolve
from pipelines.host.xml import Element, XmlError, serialise
from pipelines.host.xml import parse as parse_xml

__all__ = [
    "ConfigError",
    "Connect",
    "Execute",
    "Format",
    "Gadget",
    "Node",
    "Pipeline",
    "parse",
    "read",
]

# Gadgetron's other kinds of node, and what its users can write here instead.
_ABSENT = {
    "parallel": "branches are not available: give each branch a pipeline of its own",
    "parallelprocess": "list its gadgets in the stream itself",
    "distributed": "list its gadgets in the stream itself",
    "puredistributed": "list its gadgets in the stream itself",
}


def read(path: str | Path) -> Pipeline:
    """The pipeline in a file. Raises ConfigError, and OSError where the file cannot be read."""
    path = Path(path)
    return parse(path.read_bytes(), path.name)


def parse(data: bytes, name: str) -> Pipeline:
    """The pipeline that ``data`` holds, in either dialect; ``name`` stands for it in messages.

    Raises ConfigError.
    """
    try:
        root = parse_xml(data)
    except XmlError as error:
        raise ConfigError(f"column {error.column}: {error.what}", place=place(name, error.line)) from None
    return _Reader(name).pipeline(root)


class _Reader(Checked):
    """Reads one file into a Pipeline."""

    def pipeline(self, root: Element) -> Pipeline:
        if root.tag == "gadgetronStreamConfiguration":
            return self.legacy(root)
        if root.tag == "configuration":
            return self.version_2(root)
        known = "<configuration>, and of old <gadgetronStreamConfiguration>"
        self.refuse(root, f"unknown root element <{root.tag}>; known: {known}")

    def legacy(self, root: Element) -> Pipeline:
        self.children(root, ("reader", "writer", "gadget"))
        return Pipeline(
            name=self.file,
            version=1,
            readers=tuple(self.format(child, READERS) for child in root if child.tag == "reader"),
            writers=tuple(self.format(child, WRITERS) for child in root if child.tag == "writer"),
            nodes=self.nodes(child for child in root if child.tag == "gadget"),
        )

    def version_2(self, root: Element) -> Pipeline:
        version = self.text(root, "version")
        if version != "2":
            self.refuse(self.child(root, "version"), f"unknown version {version!r}; known: 2")
        self.children(root, ("version", "readers", "writers", "stream"))
        stream = self.child(root, "stream")
        self.attributes(stream, ("key",))
        return Pipeline(
            name=self.file,
            readers=self.formats(root, "reader", READERS),
            writers=self.formats(root, "writer", WRITERS),
            nodes=self.nodes(stream),
        )

    def formats(self, parent: Element, tag: str, known: Mapping[str, int]) -> tuple[Format, ...]:
        group = self.optional(parent, f"{tag}s")
        if group is None:
            return ()
        self.children(group, (tag,))
        return tuple(self.format(child, known) for child in group)

    def format(self, element: Element, known: Mapping[str, int]) -> Format:
        self.children(element, ("slot", "dll", "classname"))
        dll, classname = self.text(element, "dll"), self.text(element, "classname")
        if classname not in known:
            self.refuse(element, f"unknown {element.tag} {classname!r}; known: {', '.join(known)}")
        if self.optional(element, "slot") is None:
            return Format(dll, classname)
        slot = self.number(element, "slot", self.text(element, "slot"))
        if element.tag == "reader" and slot != known[classname]:
            self.refuse(element, f"{classname} reads messages of id {known[classname]}, not {slot}")
        return Format(dll, classname, slot)

    def nodes(self, elements: Iterable[Element]) -> tuple[Node, ...]:
        nodes: dict[str, Node] = {}
        for element in elements:
            node = self.node(element)
            label, count = node.label, 1
            while label in nodes:
                count += 1
                label = f"{node.label}#{count}"
            nodes[label] = replace(node, label=label)
        return resolve(tuple(nodes.values()))

    def node(self, element: Element) -> Node:
        if element.tag == "gadget":
            return self.gadget(element)
        if element.tag == "external":
            return self.external(element)
        if element.tag in _ABSENT:
            self.refuse(element, f"<{element.tag}> is not available: {_ABSENT[element.tag]}")
        self.refuse(element, f"unknown element <{element.tag}> in <stream>; known: <gadget>, <external>")

    def gadget(self, element: Element) -> Gadget | Execute:
        self.children(element, ("name", "dll", "classname", "property"))
        dll, classname = self.text(element, "dll"), self.text(element, "classname")
        name = classname if self.optional(element, "name") is None else self.text(element, "name")
        label = snake(classname) if name == classname else name
        properties = self.properties(element, label)
        if classname == "PythonGadget":
            return self.python_gadget(element, name, properties)
        node = Gadget(label=label, name=name, dll=dll, classname=classname, file=self.file, line=element.line)
        return set_properties(node, properties)

    def python_gadget(self, element: Element, name: str, properties: Mapping[str, str]) -> Execute:
        for needed in ("python_module", "python_class"):
            if not properties.get(needed):
                self.refuse(element, f"a PythonGadget needs the property {needed!r}", name)
        module, target = properties["python_module"], properties["python_class"]
        node = Execute(label=target, module=module, target=target, file=self.file, line=element.line)
        return set_properties(node, properties)

    def external(self, element: Element) -> Execute | Connect:
        self.children(element, ("execute", "connect", "configuration", "readers", "writers"))
        execute, connect = self.optional(element, "execute"), self.optional(element, "connect")
        node: Execute | Connect
        if execute is not None and connect is None:
            node = self.execute(execute)
        elif connect is not None and execute is None:
            node = self.connect(connect)
        else:
            self.refuse(element, "<external> needs either <execute> or <connect>")
        own = self.optional(element, "configuration")
        return replace(
            node,
            configuration=document.NONE if own is None else serialise(own),
            properties={} if own is None else self.properties(own, node.label),
            readers=self.formats(element, "reader", READERS),
            writers=self.formats(element, "writer", WRITERS),
        )

    def execute(self, element: Element) -> Execute:
        self.attributes(element, ("name", "target", "type"))
        language = self.attribute(element, "type")
        if language != "python":
            self.refuse(element, f"gadgets of type {language!r} are not available; known: python")
        module, target = self.attribute(element, "name"), self.attribute(element, "target")
        return Execute(label=target, module=module, target=target, file=self.file, line=element.line)

    def connect(self, element: Element) -> Connect:
        self.attributes(element, ("address", "port"))
        port = self.number(element, "port", self.attribute(element, "port"))
        if port == 0:
            self.refuse(element, "port 0 is none that a gadget can listen on")
        address = element.attrib.get("address", "").strip() or "localhost"
        return Connect(label="connect", address=address, port=port, file=self.file, line=element.line)

    def properties(self, parent: Element, label: str) -> dict[str, str]:
        properties: dict[str, str] = {}
        for element in parent:
            if element.tag != "property":
                continue
            name, value = self.property(element, label)
            if name in properties:
                self.refuse(element, f"property {name!r} is given twice", label)
            properties[name] = value
        return properties

    def property(self, element: Element, label: str) -> tuple[str, str]:
        """The name and value, written as two attributes or as two children."""
        if element.attrib and element.children:
            self.refuse(element, "a property is written with attributes or with children, not with both", label)
        if element.children:
            self.children(element, ("name", "value"))
            return self.text(element, "name"), self.child(element, "value").text.strip()
        self.attributes(element, ("name", "value"))
        name = self.attribute(element, "name")
        if "value" not in element.attrib:
            self.refuse(element, f"property {name!r} has no value", label)
        return name, element.attrib["value"]
