"""A chest with a heart that beats, made of ellipsoids."""

from __future__ import annotations

import math

from gadgets.mri.phantom.ellipsoids import Ellipsoid

# Intensity, centre, semi-axes: lengths in half fields of view, (x, y, z). Intensities add up where bodies overlap.
_REST = (
    (0.5, (0.0, 0.0, 0.0), (0.92, 0.7, 1.4)),
    (-0.4, (-0.47, -0.05, 0.0), (0.3, 0.45, 0.9)),
    (-0.4, (0.52, -0.05, 0.0), (0.26, 0.42, 0.9)),
    (0.3, (0.0, 0.5, 0.0), (0.1, 0.1, 1.4)),
    (0.4, (0.1, 0.33, 0.0), (0.05, 0.05, 1.4)),
)
_HEART = (0.06, -0.15, 0.0)
_MUSCLE, _BLOOD = 0.2, 0.3
# At rest; the pool of blood shrinks by this share, and the muscle around it keeps its area.
_OUTER, _INNER, _STROKE = 0.3, 0.22, 0.3


def chest(time: float) -> tuple[Ellipsoid, ...]:
    """The bodies at a time in heart beats: 0 is the heart at its largest, 1/2 at its smallest."""
    inner = _INNER * (1 - _STROKE * (1 - math.cos(2 * math.pi * time)) / 2)
    outer = math.sqrt(_OUTER**2 - _INNER**2 + inner**2)
    heart = ((_MUSCLE, _HEART, (outer, outer, 0.6)), (_BLOOD, _HEART, (inner, inner, 0.5)))
    return tuple(
        Ellipsoid(
            intensity=intensity,
            centre=(0.5 * centre[0], 0.5 * centre[1], 0.5 * centre[2]),
            semi_axes=(0.5 * axes[0], 0.5 * axes[1], 0.5 * axes[2]),
        )
        for intensity, centre, axes in (*_REST, *heart)
    )
