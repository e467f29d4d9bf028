"""From a node of a pipeline to the callable that runs it, by the dotted name in the XML.

Gadgetron's own class names need no table: ``NoiseAdjustGadget`` means the function
``noise_adjust`` of the module ``gadgets.noise_adjust``.
"""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, NoReturn, get_args

from pipelines.host.nodes import ConfigError, Execute, Gadget, snake

if TYPE_CHECKING:
    from gadgets.stream.connection import Connection

__all__ = ["ConfigError", "Loaded", "check_client_property", "gadget_names", "load", "module_and_target", "snake"]

_EXAMPLES = "gadgetron.examples"
_METHODS = "gadgets.mri.methods"


@dataclass(frozen=True)
class Loaded:
    """A gadget that is ready to run: ``target`` takes its connection and returns when it is done.

    ``configuration`` is the document that the connection gives it as its ``config``.
    """

    label: str
    target: Callable[[Connection], Any]
    configuration: bytes
    node: Gadget | Execute


def gadget_names() -> list[str]:
    """The gadgets there are, without importing any: the modules of ``gadgets`` that define their own name."""
    return sorted(file.stem for folder in _folders() for file in folder.glob("*.py") if _is_gadget(file))


def _folders() -> list[Path]:
    package = importlib.util.find_spec("gadgets")
    return [Path(folder) for folder in (package and package.submodule_search_locations) or ()]


def _is_gadget(file: Path) -> bool:
    defines = rf"^(def|class) {re.escape(file.stem)}\b|^{re.escape(file.stem)} ="
    return re.search(defines, file.read_text(encoding="utf-8"), re.MULTILINE) is not None


def load(node: Gadget | Execute, *, allow: Sequence[str] = (), trusted: bool = True) -> Loaded:
    """Import the gadget that ``node`` names and check its properties.

    Without ``trusted`` (the XML came from a client) only gadgets, the gadgetron package's
    examples, and modules at or below a name in ``allow`` are imported; another is refused before
    any of its code runs. Raises ConfigError for what is missing, fails at import, cannot be
    called, or has other properties.
    """
    module, attribute = module_and_target(node)
    if not trusted:
        if not _permitted(module, allow):
            _forbid(node, module, allow)
        for name, value in node.properties.items():
            check_client_property(name, value, allow=allow, place=node.place)
    found = _attribute(node, _module(node, module), attribute)
    if not trusted and not _permitted(getattr(found, "__module__", None) or "", allow):
        _forbid(node, f"{module}:{attribute}", allow)
    if not trusted and not _below(module, allow):
        _forbid_files(node, found)
    _check_properties(node, found)
    return Loaded(node.label, _callable(node, found), node.configuration, node)


def module_and_target(node: Gadget | Execute) -> tuple[str, str]:
    """The dotted module and the attribute that a node names. Raises ConfigError for a class that no gadget has."""
    if isinstance(node, Execute):
        return node.module, node.target
    name = snake(node.classname)
    if name not in gadget_names():
        raise ConfigError(f"no gadget for the class {node.classname!r}; {_choices(name)}", place=node.place)
    return f"gadgets.{name}", name


def check_client_property(name: str, value: str, *, allow: Sequence[str] = (), place: str = "") -> None:
    """Refuse what a client may not set, in XML or otherwise: a ``method``, or a ``fallback`` or ``preview`` for it, by
    the dotted name of code that is not ours, and a ``model`` by the path of a file.

    Raises ConfigError; ``place`` is put before its message.
    """
    value = value.strip()
    if name in ("method", "fallback", "preview") and "." in value and not _below(value, (_METHODS, *allow)):
        known = ", ".join(["the methods by their names", *allow])
        raise ConfigError(f"{name} {value!r} is not allowed from a client; allowed: {known}", place=place)
    if name == "model" and not re.fullmatch(r"[\w-]*", value):
        raise ConfigError(f"model {value!r} is not allowed from a client; allowed: models by their names", place=place)


def paths(found: Any) -> list[str]:
    """The properties of a gadget that name files and folders."""
    return [
        name
        for name, known in getattr(found, "properties", {}).items()
        if Path in ((annotation := getattr(known, "annotation", None)), *get_args(annotation))
    ]


def _below(module: str, prefixes: Iterable[str]) -> bool:
    return any(module == prefix or module.startswith(f"{prefix}.") for prefix in prefixes)


def _permitted(module: str, allow: Sequence[str]) -> bool:
    package, _, name = module.partition(".")
    if package == "gadgets" and name.isidentifier():
        files = [folder / f"{name}.py" for folder in _folders()]
        # One that is not there may be asked for: the import then says which there are.
        if all(_is_gadget(file) if file.exists() else not file.with_suffix("").exists() for file in files):
            return True
    return _below(module, (_EXAMPLES, *allow))


def _forbid(node: Gadget | Execute, what: str, allow: Sequence[str]) -> NoReturn:
    known = ", ".join(["gadgets.<name>", _EXAMPLES, *allow])
    raise ConfigError(f"{what!r} is not allowed from a client; allowed: {known}; {_choices(what)}", place=node.place)


def _forbid_files(node: Gadget | Execute, found: Any) -> None:
    """A client does not choose where this machine writes: gadgets that take a path are ours to name, unless they write
    nothing without it.
    """
    declared = getattr(found, "properties", {})
    names = [name for name in paths(found) if name in node.properties or declared[name].default is not None]
    if names:
        what = f"{node.label} writes files (property {', '.join(names)}), which is not allowed from a client"
        raise ConfigError(f"{what}; the server can allow it by name", place=node.place)


def _module(node: Gadget | Execute, name: str) -> ModuleType:
    try:
        if not all(part.isidentifier() for part in name.split(".")):
            raise ConfigError(f"{name!r} is not the dotted name of a module", place=node.place)
        return importlib.import_module(name)
    except ConfigError:
        raise
    # A module may also call sys.exit while it is imported.
    except (Exception, SystemExit) as error:
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        if missing and (name == missing or name.startswith(f"{missing}.")):
            what = f"no module named {name!r}" + (f"; {_choices(name)}" if name.startswith("gadgets.") else "")
        else:
            what = f"importing {name} raised {_described(error)}"
        raise ConfigError(what, place=node.place) from error


def _attribute(node: Gadget | Execute, module: ModuleType, name: str) -> Any:
    found = getattr(module, name, None)
    if found is None:
        callables = [
            public
            for public, value in vars(module).items()
            if not public.startswith("_") and callable(value) and getattr(value, "__module__", "") == module.__name__
        ]
        raise ConfigError(f"{module.__name__} has no {name!r}; {_there_are(name, callables)}", place=node.place)
    return found


def _callable(node: Gadget | Execute, found: Any) -> Callable[[Connection], Any]:
    """A class stands for the method ``handle`` of an instance of it, as in the gadgetron package."""
    if isinstance(found, type):
        if not callable(getattr(found, "handle", None)):
            raise ConfigError(f"the class {found.__qualname__} has no method 'handle'", place=node.place)
        return lambda connection: found().handle(connection)
    if not callable(found):
        raise ConfigError(f"{type(found).__name__} {found!r} cannot be called", place=node.place)
    return found  # type: ignore[no-any-return]


def _check_properties(node: Gadget | Execute, found: Any) -> None:
    """Let a gadget that declares its properties refuse the node's; others read them by themselves."""
    bind = getattr(found, "bind", None)
    if not callable(bind) or not hasattr(found, "properties"):
        return
    try:
        bind(node.properties)
    except ValueError as error:
        raise ConfigError(str(error), place=node.place) from error
    except Exception as error:
        raise ConfigError(f"checking its properties raised {_described(error)}", place=node.place) from error


def _described(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _choices(wanted: str) -> str:
    return _there_are(wanted.rsplit(".", 1)[-1], gadget_names())


def _there_are(wanted: str, names: Iterable[str]) -> str:
    names = list(names)
    close = difflib.get_close_matches(wanted, names, n=1)
    return (f"did you mean {close[0]!r}? " if close else "") + f"there are: {', '.join(names) or 'none'}"
