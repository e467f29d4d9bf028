"""Progress of long work, shown only to somebody who is looking."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Any

from tqdm import tqdm


class Progress:
    """A bar on the error stream when that is a terminal, nothing otherwise.

    total: how many are to come, or None when nobody knows; unit: of what.
    """

    def __init__(self, total: int | None = None, *, unit: str = "acquisitions", title: str = ""):
        self._bar: Any = tqdm(
            total=total,
            unit=f" {unit}",
            desc=title or None,
            unit_scale=True,
            disable=not sys.stderr.isatty(),
            leave=False,
        )

    def advance(self, n: int = 1) -> None:
        """`n` more are done."""
        self._bar.update(n)

    def close(self) -> None:
        self._bar.close()

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
