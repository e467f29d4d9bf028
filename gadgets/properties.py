"""Gadgets as functions: `@gadget` turns a function's keyword-only arguments into XML properties.

    @gadget
    def remove_ro_oversampling(connection, *, keep: bool = False):
        ...

The same function is run by our host, by `python -m gadgetron PORT module name`, and by a plain call in a test.
"""

from __future__ import annotations

import dataclasses
import inspect
import logging
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any

from .mri.settings import convert, type_name
from .stream.connection import Connection
from .stream.errors import StreamError, describe_error
from .stream.peer import adopt, report_failure


class PropertyError(ValueError):
    """A property that a gadget does not have, or a value that it cannot take."""


@dataclasses.dataclass(frozen=True)
class Property:
    """One property of a gadget: its type as text, its default (`...` where one must be given)."""

    name: str
    annotation: Any
    default: Any

    @property
    def type_name(self) -> str:
        return type_name(self.annotation)


Settings = Callable[[Mapping[str, Any]], Any]


class Gadget:
    """A function of one connection, with the properties that it declares.

    Called with a connection, it binds the properties of the connection's configuration (keyword arguments override
    them) and runs. Called by the gadgetron package, it runs on the same socket with our own reading and writing,
    and a failure is reported to the Gadgetron as ERROR after the traceback was logged.
    """

    def __init__(self, function: Callable[..., None], check: Settings | None = None):
        self.function = function
        self.check = check
        self.__name__ = function.__name__
        self.__doc__ = function.__doc__
        self.__module__ = function.__module__
        self.__wrapped__ = function
        hints = typing.get_type_hints(function)
        parameters = inspect.signature(function).parameters.values()
        self.properties = {
            p.name: Property(p.name, hints.get(p.name, str), ... if p.default is p.empty else p.default)
            for p in parameters
            if p.kind is p.KEYWORD_ONLY
        }
        self.open = any(p.kind is p.VAR_KEYWORD for p in parameters)

    def bind(
        self, properties: Mapping[str, str], given: Mapping[str, Any] = types.MappingProxyType({})
    ) -> dict[str, Any]:
        """Typed arguments from XML properties, and the arguments `given` in their place as they are.

        Raises PropertyError naming the property, and the known ones or the values it takes.
        """
        bound: dict[str, Any] = {}
        for name, value in properties.items():
            if name in self.properties:
                try:
                    bound[name] = convert(f"property '{name}'", value, self.properties[name].annotation)
                except ValueError as error:
                    raise PropertyError(str(error)) from None
            elif self.open:
                bound[name] = value
            else:
                known = ", ".join(self.properties) or "it has none"
                raise PropertyError(f"unknown property '{name}'; known: {known}")
        bound |= given or {}
        missing = [p.name for p in self.properties.values() if p.default is ... and p.name not in bound]
        if missing:
            raise PropertyError(f"property '{missing[0]}' must be given")
        if self.check is not None:
            defaults = {p.name: p.default for p in self.properties.values()}
            self.check(defaults | bound)
        return bound

    def __call__(self, connection: Any, **properties: Any) -> None:
        adopted = adopt(connection)
        if adopted is connection:
            self._run(adopted, properties)
            return
        try:
            self._run(adopted, properties)
            # Its host may have written everything already, and would take this end for a good one.
            if adopted.unread():
                raise StreamError("it returned before the end of its input")
        except Exception as error:
            logging.getLogger(self.__module__).exception("%s failed", self.__name__)
            report_failure(adopted, f"{self.__name__}: {describe_error(error)}")
            raise SystemExit(1) from error

    def _run(self, connection: Connection, properties: Mapping[str, Any]) -> None:
        self.function(connection, **self.bind(configured(connection), properties))

    def __repr__(self) -> str:
        return f"<gadget {self.__module__}.{self.__name__}>"


@typing.overload
def gadget(function: Callable[..., None]) -> Gadget: ...
@typing.overload
def gadget(*, check: Settings) -> Callable[[Callable[..., None]], Gadget]: ...
def gadget(function: Callable[..., None] | None = None, *, check: Settings | None = None) -> Any:
    """Make a gadget of a function of one connection; its keyword-only arguments are its XML properties.

    A function that takes `**settings` receives properties that it does not declare as text; `check` is then called
    with all properties when the gadget is loaded, and raises ValueError for what it cannot take.
    """
    if function is None:
        return lambda f: Gadget(f, check)
    return Gadget(function)


def configured(connection: Connection) -> dict[str, str]:
    """The properties in a connection's configuration, in either spelling (attributes, or child elements)."""
    found: dict[str, str] = {}
    for element in connection.config.iter("property") if connection.config is not None else ():
        name = element.get("name", element.findtext("name"))
        value = element.get("value", element.findtext("value", ""))
        if name is None:
            raise PropertyError("a property without a name")
        found[name] = value
    return found
