"""Where what outlives a scan is kept on this machine."""

from __future__ import annotations

import os
from pathlib import Path


def folder(name: str, variable: str) -> Path:
    """The folder that an environment variable names, else `deepgadgets/NAME` in the user's cache. It may be missing."""
    chosen = os.environ.get(variable)
    if chosen:
        return Path(chosen)
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "deepgadgets" / name
