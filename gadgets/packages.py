"""Versions of what an image was made with."""

from __future__ import annotations

from functools import cache
from importlib import metadata

PACKAGES = ("deepgadgets", "torch")


@cache
def versions() -> dict[str, str]:
    """Package -> version; 0 where a package runs without being installed."""
    return {name: _version(name) for name in PACKAGES}


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "0"
