"""Images of NIfTI files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


def volumes(path: Path) -> Iterator[tuple[str, NDArray[np.floating]]]:
    """Volumes (z, y, x), one for each point in time. Needs nibabel."""
    import nibabel

    image: Any = nibabel.load(path)
    data = np.abs(np.asarray(image.dataobj))
    for time, volume in enumerate(data.T.reshape(-1, *data.T.shape[-3:])):
        yield str(time), volume
