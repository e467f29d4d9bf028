"""Images of NumPy files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


def volumes(path: Path) -> Iterator[tuple[str, NDArray[np.floating]]]:
    """Arrays of two or three axes, (y, x) or (slice, y, x), as magnitudes; others are skipped. No pickles are read."""
    loaded = np.load(path, allow_pickle=False)
    arrays = {"": loaded} if isinstance(loaded, np.ndarray) else loaded
    for name in arrays:
        array = arrays[name]
        if array.ndim in (2, 3) and min(array.shape[-2:]) > 1:
            magnitude = np.abs(array) if np.iscomplexobj(array) else array
            yield name, magnitude[None] if array.ndim == 2 else magnitude
