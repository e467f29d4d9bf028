"""Buffers of the phantom, undersampled around a calibration region."""

from __future__ import annotations

from typing import Any

import numpy as np
from gadgetron.types.recon_data import ReconBuffer

from gadgets.mri.phantom.scan import cartesian
from tests.support.buffers import recon_buffer

#: Every other line along y, and those at the centre.
LINES = (np.arange(32) % 2 == 0) | (abs(np.arange(32) - 16) < 8)


def phantom_buffer(*slices: int, **head: Any) -> ReconBuffer:
    """Slices of 32 x 32 points and 6 coils; `head` is that of `recon_buffer`."""
    kspace = np.stack([cartesian((32, 32, 1), coils=6, slice_index=s)[None, None] for s in slices])
    return recon_buffer(kspace, LINES, **head)
