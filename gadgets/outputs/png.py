"""Grey PNG pictures from arrays."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image


def png(pixels: np.ndarray, low: float, high: float) -> bytes:
    """PNG of real pixels (y, x), 8 bits: black at `low` and below, white at `high` and above.

    Row 0 is at the top and column 0 at the left, as the image lies in memory: rows run along the readout, from top to
    bottom along the phase encoding. Raises ValueError for complex pixels or another number of axes.
    """
    if pixels.ndim != 2 or np.iscomplexobj(pixels):
        raise ValueError(f"a picture is made of real pixels (y, x), not of {pixels.dtype} {pixels.shape}")
    grey = (pixels.astype(np.float64) - low) / max(high - low, np.finfo(float).tiny)
    picture = Image.fromarray(np.floor(np.clip(grey, 0, 1) * 255 + 0.5).astype(np.uint8))
    sink = io.BytesIO()
    picture.save(sink, "PNG")
    return sink.getvalue()
