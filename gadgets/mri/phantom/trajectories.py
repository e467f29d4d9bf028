"""Trajectories of simulated scans. Numpy only."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# pi over the golden ratio: however many successive spokes are taken, they cover all directions about evenly.
GOLDEN_ANGLE = np.pi * (np.sqrt(5) - 1) / 2


def radial(spokes: int, samples: int, size: int, *, golden: bool = False, first: int = 0) -> NDArray[np.float64]:
    """Diameters of the k-space of `size` points, (spoke, sample, 3), components (z, y, x), in cycles per field of view.

    Samples run from -size / 2 to just below size / 2, with the centre at samples // 2. Spoke i, counted from `first`,
    has the angle pi i / spokes from the x axis, or with `golden` i times the golden angle.
    Winkelmann et al., IEEE Trans Med Imaging 2007;26:68. doi:10.1109/TMI.2006.885337
    """
    number = np.arange(first, first + spokes)
    angle = number * GOLDEN_ANGLE if golden else number * np.pi / spokes
    radius = (np.arange(samples) - samples // 2) * size / samples
    directions = np.stack([np.zeros(spokes), np.sin(angle), np.cos(angle)], axis=-1)
    return directions[:, None, :] * radius[:, None]
