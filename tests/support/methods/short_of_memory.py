"""A method for which there is never enough memory."""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass(frozen=True, kw_only=True)
class ShortOfMemory:
    """Fails as an allocation does: on a GPU, or (`host`) on the processor."""

    host: bool = False

    def calibrate(self, reference):
        return None

    def __call__(self, kspace, calibration):
        if self.host:
            raise MemoryError
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")
