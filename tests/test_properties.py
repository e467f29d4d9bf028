"""A gadget's keyword-only arguments are its XML properties: typed, checked, refused by name."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest

from gadgets.properties import PropertyError, gadget
from gadgets.stream.connection import Connection
from gadgets.stream.transport import MemoryTransport
from tests.support.streams import configuration, run


@gadget
def example(
    connection,
    *,
    flag: bool = False,
    count: int = 1,
    factor: float = 0.5,
    name: str = "",
    axis: Literal["x", "y"] = "x",
    coils: int | None = None,
    sizes: tuple[int, ...] = (),
    folder: Path = Path(),
):
    """An example."""
    connection.send({"flag": flag})


@gadget
def needs(connection, *, path: str):
    """Has a property without a default."""


def refuse_odd(settings):
    if settings["count"] % 2:
        raise ValueError("count must be even")


@gadget(check=refuse_odd)
def even(connection, *, count: int = 0, **settings: str):
    """Takes settings that it does not declare."""


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("flag", "true", True),
        ("flag", "False", False),
        ("count", " 7 ", 7),
        ("factor", "1e-3", 1e-3),
        ("name", " as it is ", " as it is "),
        ("axis", "y", "y"),
        ("coils", "", None),
        ("coils", "none", None),
        ("coils", "8", 8),
        ("sizes", "1, 2 3", (1, 2, 3)),
        ("sizes", "", ()),
        ("folder", "a/b", Path("a/b")),
    ],
)
def test_text_becomes_the_annotated_type(name, text, value):
    bound = example.bind({name: text})[name]
    assert bound == value
    assert type(bound) is type(value)


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("flag", "1", "true or false"),
        ("count", "1.5", "an integer"),
        ("factor", "fast", "a number"),
        ("axis", "z", "one of 'x', 'y'"),
        ("coils", "some", "an integer"),
        ("sizes", "1 b", "an integer"),
    ],
)
def test_a_value_that_cannot_be_taken_is_refused_with_what_can(name, text, expected):
    with pytest.raises(PropertyError) as caught:
        example.bind({name: text})
    assert f"property '{name}'" in str(caught.value)
    assert expected in str(caught.value)


def test_an_unknown_property_is_refused_with_the_known_ones():
    with pytest.raises(PropertyError, match="unknown property 'flags'; known: flag, count, factor"):
        example.bind({"flags": "true"})
    with pytest.raises(PropertyError, match="it has none"):
        gadget(lambda connection: None).bind({"a": "b"})


def test_a_property_without_default_must_be_given():
    with pytest.raises(PropertyError, match="'path' must be given"):
        needs.bind({})
    assert needs.bind({"path": "x"}) == {"path": "x"}


def test_undeclared_settings_and_the_check():
    assert even.bind({"count": "2", "anything": "text"}) == {"count": 2, "anything": "text"}
    with pytest.raises(ValueError, match="must be even"):
        even.bind({"count": "3"})


def test_properties_come_from_the_configuration_in_either_spelling():
    seen = []

    @gadget
    def look(connection, *, a: int = 0, b: int = 0):
        seen.append((a, b))

    run(look, [], a=1)
    xml = b"<configuration><property><name>b</name><value>2</value></property></configuration>"
    look(Connection(MemoryTransport([]), xml, b""))
    look(Connection(MemoryTransport([]), configuration(a=3, b=4), b""), b=5)
    look(Connection(MemoryTransport([]), b"<?xml version='1.0'?>", b""))
    assert seen == [(1, 0), (0, 2), (3, 5), (0, 0)]


def test_a_gadget_is_known_by_its_function():
    assert (example.__name__, example.__doc__) == ("example", "An example.")
    assert example.properties["axis"].type_name == "one of 'x', 'y'"
    assert needs.properties["path"].default is ...
