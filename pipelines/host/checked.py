"""Reading the elements of one XML file by name, each refusal with the file, the line and the choices."""

from __future__ import annotations

from collections.abc import Collection
from typing import NoReturn

from pipelines.host.nodes import ConfigError, place
from pipelines.host.xml import Element


class Checked:
    """The parts of elements that must be there and must not; ``file`` is named in each ConfigError."""

    def __init__(self, file: str) -> None:
        self.file = file

    def refuse(self, element: Element, what: str, label: str = "") -> NoReturn:
        """Raise a ConfigError at the place of ``element``."""
        raise ConfigError(what, place=place(self.file, element.line, label))

    def children(self, element: Element, known: Collection[str]) -> None:
        """Refuse a child that is not one of ``known``."""
        for child in element:
            if child.tag not in known:
                choices = ", ".join(f"<{tag}>" for tag in known) or "none"
                self.refuse(child, f"unknown element <{child.tag}> in <{element.tag}>; known: {choices}")

    def attributes(self, element: Element, known: Collection[str]) -> None:
        """Refuse an attribute that is not one of ``known``."""
        for name in element.attrib:
            if name not in known:
                self.refuse(
                    element, f"unknown attribute {name!r} of <{element.tag}>; known: {', '.join(known) or 'none'}"
                )

    def optional(self, element: Element, tag: str) -> Element | None:
        """The child ``tag``, None where there is none; two are refused."""
        found = [child for child in element if child.tag == tag]
        if len(found) > 1:
            self.refuse(found[1], f"a second <{tag}> in <{element.tag}>")
        return found[0] if found else None

    def child(self, element: Element, tag: str) -> Element:
        """The child ``tag``, refused where there is none."""
        found = self.optional(element, tag)
        if found is None:
            self.refuse(element, f"<{element.tag}> needs a <{tag}>")
        return found

    def text(self, element: Element, tag: str) -> str:
        """What the child ``tag`` says, which must be something."""
        child = self.child(element, tag)
        self.children(child, ())
        text = child.text.strip()
        if not text:
            self.refuse(child, f"<{tag}> is empty")
        return text

    def attribute(self, element: Element, name: str) -> str:
        """What the attribute ``name`` says, which must be something."""
        value = element.attrib.get(name, "").strip()
        if not value:
            self.refuse(element, f"<{element.tag}> needs the attribute {name!r}")
        return value

    def number(self, element: Element, name: str, text: str) -> int:
        """``text`` as a number that fits 16 bits, as ports and message ids do."""
        if not (text.isascii() and text.isdigit() and int(text) <= 0xFFFF):
            self.refuse(element, f"{name} {text!r} is not a number from 0 to 65535")
        return int(text)
