"""Answers to QUERY: what Gadgetron's clients and its integration tests ask a server."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sys
from collections.abc import Callable
from typing import Any


def answer(key: str) -> str:
    """The value of a key, or 'Unknown query' as Gadgetron says."""
    if key in _ANSWERS:
        return _ANSWERS[key]()
    return "Unknown query"


def _version() -> str:
    try:
        return importlib.metadata.version("deepgadgets")
    except importlib.metadata.PackageNotFoundError:
        return "0"


def _memory() -> str:
    return str(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))


def _cuda() -> bool:
    torch = _torch()
    return bool(torch and torch.cuda.is_available())


def _torch() -> Any:
    # A worker has imported torch when it warmed up; asking a question is no reason to do so.
    return sys.modules.get("torch")


def _devices() -> str:
    return str(_torch().cuda.device_count()) if _cuda() else "0"


def _per_device(what: str) -> str:
    torch = _torch()
    if not _cuda():
        return "N/A"
    properties = [torch.cuda.get_device_properties(i) for i in range(torch.cuda.device_count())]
    if what == "memory":
        return ", ".join(str(p.total_memory) for p in properties)
    return ", ".join(f"{p.major}.{p.minor}" for p in properties)


def _runtime() -> str:
    return str(_torch().version.cuda) if _cuda() else "N/A"


def _info() -> str:
    """The layout that Gadgetron's integration tests parse."""
    lines = [
        f"Gadgetron Version Info (deepgadgets {_version()}, Python {platform.python_version()})",
        f"  -- Version            : {_version()}",
        "  -- Git SHA1           : N/A",
        f"  -- System Memory size : {int(_memory()) / (1 << 20):.0f} MB",
        "  -- Python Support     : YES",
        "  -- Julia Support      : NO",
        "  -- Matlab Support     : NO",
        f"  -- CUDA Support       : {'YES' if _cuda() else 'NO'}",
    ]
    return "\n".join(lines) + "\n"


_ANSWERS: dict[str, Callable[[], str]] = {
    "ismrmrd::version": lambda: importlib.metadata.version("ismrmrd"),
    "gadgetron::version": _version,
    "gadgetron::build": lambda: "N/A",
    "gadgetron::info": _info,
    "gadgetron::info::memory": _memory,
    "gadgetron::info::python": lambda: "YES",
    "gadgetron::info::matlab": lambda: "NO",
    "gadgetron::info::cuda": lambda: "YES" if _cuda() else "NO",
    "gadgetron::cuda::devices": _devices,
    "gadgetron::cuda::driver": lambda: "N/A",
    "gadgetron::cuda::runtime": _runtime,
    "gadgetron::cuda::memory": lambda: _per_device("memory"),
    "gadgetron::cuda::capabilities": lambda: _per_device("capabilities"),
}
