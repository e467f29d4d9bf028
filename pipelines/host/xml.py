"""XML from anyone, as a small tree that knows its line numbers.

``parse`` reads bytes that may come from an untrusted client. It never opens a file or an
address, expands no entity, and bounds the size, depth and number of what it builds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from xml.parsers import expat

MAX_BYTES = 1 << 20
MAX_DEPTH = 32
MAX_ELEMENTS = 20_000

# What XML 1.0 cannot hold, not even as a character reference.
_FORBIDDEN = re.compile("[^\\t\\n\\r\\x20-\\ud7ff\\ue000-\\ufffd\\U00010000-\\U0010ffff]")

DECLARATION = b'<?xml version="1.0" encoding="UTF-8"?>\n'

# A newline or tab written literally in an attribute would come back as a space.
_IN_TEXT = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"})
_IN_ATTRIBUTE = _IN_TEXT | str.maketrans({'"': "&quot;", "\n": "&#10;", "\t": "&#9;"})


class XmlError(ValueError):
    """The bytes are not XML that is accepted here; the message says why and where."""

    def __init__(self, what: str, line: int, column: int) -> None:
        super().__init__(f"line {line}, column {column}: {what}")
        self.what = what
        self.line = line
        self.column = column


@dataclass(frozen=True)
class Element:
    """One element: names are literal (prefix included), comments are gone.

    ``text`` stands before the first child and ``tail`` after the element's own end, as in
    ``xml.etree``. Two elements are equal whatever their lines.
    """

    tag: str
    attrib: Mapping[str, str] = field(default_factory=dict)
    children: tuple[Element, ...] = ()
    text: str = ""
    tail: str = ""
    line: int = field(default=0, compare=False)

    def __iter__(self) -> Iterator[Element]:
        return iter(self.children)


def parse(data: bytes) -> Element:
    """The root element of ``data``.

    Raises XmlError for XML that is not well-formed, that is over MAX_BYTES, MAX_DEPTH or
    MAX_ELEMENTS, or that has a document type declaration: entities and references to other
    files can come only from there.
    """
    if len(data) > MAX_BYTES:
        raise XmlError(f"{len(data)} bytes of XML, more than the {MAX_BYTES} allowed", 1, 1)
    return _Builder().build(data)


def serialise(element: Element) -> bytes:
    """``element`` as a UTF-8 document with an XML declaration; ``parse`` gives it back.

    Raises ValueError for a character that XML cannot hold.
    """
    document = "".join(_pieces(element))
    if forbidden := _FORBIDDEN.search(document):
        raise ValueError(f"the character U+{ord(forbidden[0]):04X} cannot be written in XML")
    return DECLARATION + document.encode()


def _pieces(element: Element) -> Iterator[str]:
    attributes = "".join(f' {name}="{value.translate(_IN_ATTRIBUTE)}"' for name, value in element.attrib.items())
    if not element.children and not element.text:
        yield f"<{element.tag}{attributes}/>"
        return
    yield f"<{element.tag}{attributes}>{element.text.translate(_IN_TEXT)}"
    for child in element.children:
        yield from _pieces(child)
        yield child.tail.translate(_IN_TEXT)
    yield f"</{element.tag}>"


@dataclass
class _Open:
    """An element whose end has not come yet."""

    tag: str
    attrib: dict[str, str]
    line: int
    children: list[Element] = field(default_factory=list)
    # One entry before the first child and one after each child.
    texts: list[str] = field(default_factory=lambda: [""])

    def close(self) -> Element:
        children = tuple(
            Element(child.tag, child.attrib, child.children, child.text, tail, child.line)
            for child, tail in zip(self.children, self.texts[1:], strict=True)
        )
        return Element(self.tag, self.attrib, children, self.texts[0], "", self.line)


class _Builder:
    """Expat's events, gathered into elements."""

    def __init__(self) -> None:
        self.root: Element | None = None
        self.elements = 0
        self.open: list[_Open] = []
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text
        self.parser.StartDoctypeDeclHandler = self._doctype

    def build(self, data: bytes) -> Element:
        try:
            self.parser.Parse(data, True)
        except expat.ExpatError as error:
            raise XmlError(expat.ErrorString(error.code), error.lineno, error.offset + 1) from None
        except XmlError:
            raise
        except (LookupError, ValueError) as error:
            # Expat asks Python for the character set that the declaration names.
            raise self._error(f"unusable encoding: {error}") from None
        assert self.root is not None, "expat itself refuses a document without an element"
        return self.root

    def _error(self, what: str) -> XmlError:
        return XmlError(what, self.parser.CurrentLineNumber, self.parser.CurrentColumnNumber + 1)

    def _start(self, tag: str, attrib: dict[str, str]) -> None:
        self.elements += 1
        if self.elements > MAX_ELEMENTS:
            raise self._error(f"more than the {MAX_ELEMENTS} elements allowed")
        if len(self.open) == MAX_DEPTH:
            raise self._error(f"<{tag}> is nested deeper than the {MAX_DEPTH} elements allowed")
        self.open.append(_Open(tag, attrib, self.parser.CurrentLineNumber))

    def _end(self, tag: str) -> None:
        element = self.open.pop().close()
        if self.open:
            self.open[-1].children.append(element)
            self.open[-1].texts.append("")
        else:
            self.root = element

    def _text(self, text: str) -> None:
        self.open[-1].texts[-1] += text

    def _doctype(self, name: str, system: str | None, public: str | None, internal: bool) -> None:
        holds = f", with a reference to {system!r}" if system else ", with declarations of its own" if internal else ""
        raise self._error(f"a document type declaration (<!DOCTYPE {name}>{holds}) is not allowed")
