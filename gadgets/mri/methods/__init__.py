"""Methods of reconstruction, one published method per file. Importing this package does not import torch.

A method exists because its file exists: `cg_sense.py` holds the class `CgSense`, a frozen dataclass whose fields are
its settings, with two verbs:

    calibrate(reference: KSpace) -> Tensor | None     once, from the calibration data
    __call__(kspace: KSpace, calibration) -> Tensor   many times, (*other, 1, z, y, x) complex64

`calibrate` returns None where a method needs no calibration, else a tensor whose last channels are the maps csm
(*other, coil, z, y, x) of the coils, with sum_coil |csm|^2 = 1. It takes k-space on the grid of the data to come, with
a mask that says what part of it is there. A method scales linearly with its input and treats slices alike. Wrong use
raises ValueError with the reason.

A method that is linear at each point of the image may have a third verb, which gives its noise and g-factor:

    unmixing(kspace: KSpace, calibration: Tensor) -> Unmixing

One that fits a network to the scan has `fitted`, which gives, besides the image, what the next fit may start from:

    fitted(kspace: KSpace, calibration, *, start: State | None = None) -> tuple[Tensor, State]

What methods with trained networks share is in `gadgets.mri.learned`, and with fitted ones in `gadgets.mri.fitted`.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

from gadgets.mri.settings import build

if TYPE_CHECKING:
    from torch import Tensor

    from gadgets.mri.kspace import KSpace


class Method(Protocol):
    """What every method does."""

    def calibrate(self, reference: KSpace) -> Tensor | None:
        """What the method needs to know about the receiver, from calibration data."""

    def __call__(self, kspace: KSpace, calibration: Tensor | None) -> Tensor:
        """The image (*other, 1, z, y, x)."""


def names() -> tuple[str, ...]:
    """Names of the methods in this package, sorted."""
    return tuple(sorted(file.stem for file in Path(__file__).parent.glob("*.py") if not file.stem.startswith("_")))


def find(name: str) -> type:
    """The class of a method.

    `name` is one of `names()`, or a dotted name of a method elsewhere, which is imported: `package.module.Class`, or
    `package.module` whose class is the module's name in CamelCase. Raises ValueError where there is no such method.
    """
    if "." not in name or not all(part.isidentifier() for part in name.split(".")):
        if name not in names():
            raise ValueError(f"no method {name!r}; there are: {', '.join(names())}")
        module, cls = f"{__name__}.{name}", _camel(name)
    else:
        head, _, last = name.rpartition(".")
        module, cls = (head, last) if last[:1].isupper() else (name, _camel(last))
    try:
        found = getattr(import_module(module), cls)
    except ModuleNotFoundError as error:
        # A module that the method itself imports may be what is missing: that is another error.
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise
        raise ValueError(f"no method {name!r}: there is no module {error.name}") from error
    except AttributeError as error:
        raise ValueError(f"no method {name!r}: module {module} has no class {cls}") from error
    if not isinstance(found, type):
        raise ValueError(f"no method {name!r}: {module}.{cls} is not a class")
    return found


def create(name: str, settings: Mapping[str, object] = MappingProxyType({})) -> Method:
    """The method `name` (as for `find`) with `settings`: values, or text to be converted to them.

    Raises ValueError for an unknown method or setting, naming those that exist.
    """
    method: Method = build(find(name), settings)
    return method


def _camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))
