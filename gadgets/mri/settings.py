"""Settings of a method: text or values, checked against the fields of its dataclass."""

from __future__ import annotations

import re
import types
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
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
    return cls(**{name: convert(f"{cls.__name__}.{name}", value, hints[name]) for name, value in settings.items()})


def convert(name: str, value: object, annotation: Any) -> Any:
    """`value`, or text for it, as the annotation says.

    Booleans are `true` or `false`; tuples are separated by commas or spaces; `X | None` takes empty text or `none`.
    Raises ValueError naming `name`, the value and what it should be.
    """
    origin, arguments = get_origin(annotation), get_args(annotation)
    text: Any = value.strip() if isinstance(value, str) else value
    if origin in (Union, types.UnionType):
        if type(None) in arguments and (text is None or text in ("", "none")):
            return None
        (inner,) = (choice for choice in arguments if choice is not type(None))
        return convert(name, value, inner)
    try:
        if origin is Literal:
            return {str(choice): choice for choice in arguments}[str(text)]
        if origin is tuple:
            parts = [part for part in re.split(r"[,\s]+", text) if part] if isinstance(text, str) else text
            return tuple(convert(name, part, arguments[0]) for part in parts)
        if annotation is bool:
            return text if isinstance(text, bool) else {"true": True, "false": False}[str(text).lower()]
        if annotation is str:
            return str(value)
        if annotation in (int, float) and isinstance(text, bool):
            raise ValueError
        if annotation is int and isinstance(text, float) and not text.is_integer():
            raise ValueError
        if isinstance(annotation, type) and is_dataclass(annotation) and isinstance(value, annotation):
            return value
        return annotation(text) if isinstance(annotation, type) else value
    except (KeyError, TypeError, ValueError):
        raise ValueError(f"{name} is {value!r}, expected {type_name(annotation)}") from None


def type_name(annotation: Any) -> str:
    """What a setting of that annotation takes, for people."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (Union, types.UnionType):
        return " or ".join(type_name(choice) for choice in arguments)
    if origin is Literal:
        return "one of " + ", ".join(f"'{choice}'" for choice in arguments)
    if origin is tuple:
        return f"a list of {type_name(arguments[0])}"
    names = {bool: "true or false", int: "an integer", float: "a number", str: "text", types.NoneType: "nothing"}
    return names.get(annotation, "a path" if annotation is Path else getattr(annotation, "__name__", str(annotation)))
