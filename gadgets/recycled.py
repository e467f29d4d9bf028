"""Memory of arrays that come and go in one size, used again once nobody holds it.

Fetching fresh pages from the system costs several times what filling them does, for every frame of a scan anew.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence

import numpy as np
from numpy.typing import DTypeLike, NDArray

# Larger arrays are rare, and too dear to keep.
_LARGEST = 64 << 20
_KEPT = 4
# What sys.getrefcount says of memory that nobody views: the list's reference, and its own argument.
_UNUSED = 2


class Recycled:
    """Gives arrays out; takes them back when their last view has gone. For one thread."""

    def __init__(self) -> None:
        self._memory: list[NDArray[np.uint8]] = []

    def zeros(self, shape: Sequence[int], dtype: DTypeLike) -> NDArray:
        """As np.zeros, C-contiguous."""
        nbytes = math.prod(shape) * np.dtype(dtype).itemsize
        for i in range(len(self._memory)):
            if self._memory[i].nbytes == nbytes and sys.getrefcount(self._memory[i]) <= _UNUSED:
                self._memory[i].fill(0)
                return self._memory[i].view(dtype).reshape(shape)
        memory = np.zeros(nbytes, np.uint8)
        if 0 < nbytes <= _LARGEST:
            self._memory = [*self._memory, memory][-_KEPT:]
        return memory.view(dtype).reshape(shape)
