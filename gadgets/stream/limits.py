"""Limits on every length that a peer can name, checked before anything is allocated."""

from __future__ import annotations

from dataclasses import dataclass

from .errors import LimitExceeded

MiB = 1 << 20
GiB = 1 << 30


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Largest accepted lengths, in bytes unless named otherwise.

    The defaults admit every scan that fits a large workstation and refuse what can only be a fault:
    header fields of 16 bits allow an acquisition of 34 GB, 64-bit ones anything at all.
    """

    text: int = 16 * MiB
    meta: int = 16 * MiB
    acquisition: int = 256 * MiB
    waveform: int = 64 * MiB
    image: int = 4 * GiB
    array: int = 16 * GiB
    count: int = 1 << 24

    def check(self, kind: str, nbytes: int, what: str) -> int:
        """Return `nbytes` if limit `kind` allows it, else raise LimitExceeded naming `what`."""
        allowed: int = getattr(self, kind)
        if nbytes > allowed:
            unit = "" if kind == "count" else " bytes"
            raise LimitExceeded(f"{what} of {nbytes}{unit} is above the limit of {allowed}{unit}")
        return nbytes
