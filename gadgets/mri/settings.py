"""Settings of a method: text or values, checked against the fields of its dataclass."""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints


def build(cls: type, settings: Mapping[str, object]) -> Any:
    """An instance of the dataclass `cls`, each setting converted to the annotation of its field.

    Text becomes bool ("true", "false"), int, float, str, one of the choices of a Literal, or None ("" or "none", where
    the field allows it). Raises ValueError, naming the known settings, for one that is unknown or missing, and for
    text or a value that cannot be converted.
    """
    known = {field.name: field for field in fields(cls) if field.init}
    unknown = sorted(set(settings) - set(known))
    if unknown:
        raise ValueError(f"{cls.__name__} has no setting {', '.join(unknown)}; it has: {', '.join(known) or 'none'}")
    missing = [
        name
        for name, field in known.items()
        if name not in settings and field.default is MISSING and field.default_factory is MISSING
    ]
    if missing:
        raise ValueError(f"{cls.__name__} needs the settings {', '.join(missing)}")
    hints = get_type_hints(cls)
    return cls(**{name: _convert(f"{cls.__name__}.{name}", value, hints[name]) for name, value in settings.items()})


def _convert(name: str, value: object, annotation: Any) -> object:
    """`value` as the annotation says."""
    origin = get_origin(annotation)
    if origin in (Union, types.UnionType):
        choices = get_args(annotation)
        if type(None) in choices and (value is None or value in ("", "none")):
            return None
        (inner,) = (choice for choice in choices if choice is not type(None))
        return _convert(name, value, inner)
    if origin is Literal:
        if value not in get_args(annotation):
            raise ValueError(f"{name} is {value!r}, expected one of {', '.join(map(str, get_args(annotation)))}")
        return value
    if annotation is bool:
        if value in ("true", "false"):
            return value == "true"
        if isinstance(value, bool):
            return value
        raise ValueError(f"{name} is {value!r}, expected true or false")
    if annotation in (int, float, str):
        if isinstance(value, bool) or (annotation is int and isinstance(value, float) and not value.is_integer()):
            raise ValueError(f"{name} is {value!r}, expected {annotation.__name__}")
        try:
            return annotation(value)
        except (TypeError, ValueError) as error:
            raise ValueError(f"{name} is {value!r}, expected {annotation.__name__}") from error
    return value
