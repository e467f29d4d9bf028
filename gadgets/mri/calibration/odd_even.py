"""How readouts in opposite directions differ, which in echo planar images makes the Nyquist ghost. Numpy only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Steps to the maximum, which is reached to rounding in a few.
_STEPS = 20
_CONVERGED = 1e-7


@dataclass(frozen=True, kw_only=True)
class OddEven:
    """Forward readouts over reverse ones, both along increasing k0: exp(i (phase + 2 pi shift x)) in image space.

    phase: radians, at the centre of the field of view. shift: cycles per field of view, x being in fields of view from
    the centre. The samples of forward readouts lie shift / 2 before the places that they are said to have along k0,
    those of reverse readouts as much behind.
    """

    phase: float
    shift: float


def odd_even(navigators: NDArray[np.complexfloating], reverse: NDArray[np.bool_]) -> OddEven:
    """Phase and shift between forward and reverse readouts from navigators, which are read without phase encoding.

    navigators: (line, coil, x) in image space along the readout, in the order in which they were read, at equal
    intervals; reverse: (line,) which of them were read in reverse. Three or more, in alternating directions.

    Each is compared with the mean of the two around it. Off resonance the phase grows from line to line: the two are
    first turned towards each other by half of what lies between them, so that the mean is what would have been read at
    the same time (Heid's three-line navigator); between them, the phase may change by less than half a turn.

    The phase along x comes from the gradients and from their delay against the receiver. It is common to all coils,
    whose own phases drop out of z(x) = sum_coil forward conj(reverse); so one line is fitted to all. It maximises
    |sum_x z(x) exp(-2 pi i shift x)|, which is the maximum likelihood estimate, starting from the phase of
    sum_x z(x + 1) conj(z(x)). Neither looks at the phase of a pixel alone, so there is nothing to unwrap, and pixels
    count as much as they shine.

    Raises ValueError for fewer than three navigators, for directions that do not alternate, and for navigators without
    signal or with samples that are NaN or infinite.

    Ahn and Cho, IEEE TMI 1987;6:32. doi:10.1109/TMI.1987.4307795
    """
    if navigators.ndim != 3 or reverse.shape != navigators.shape[:1]:
        raise ValueError(
            f"navigators have shape {navigators.shape} and directions {reverse.shape}; "
            "expected (line, coil, x) and (line,)"
        )
    if len(navigators) < 3 or (reverse[1:] == reverse[:-1]).any():
        directions = " ".join("-" if each else "+" for each in reverse) or "none"
        raise ValueError(f"navigators are read in the directions {directions}; expected three or more that alternate")
    if not np.isfinite(navigators).all():
        raise ValueError("navigators hold samples that are NaN or infinite")
    z = np.zeros(navigators.shape[2], np.complex128)
    for before, line, after, is_reverse in zip(
        navigators[:-2], navigators[1:-1], navigators[2:], reverse[1:-1], strict=True
    ):
        half = np.exp(0.5j * np.angle(np.vdot(before, after)))
        pair = (line * (before * half + after * half.conj()).conj()).sum(axis=0)
        z += pair.conj() if is_reverse else pair
    if not z.any():
        raise ValueError("navigators hold no signal")
    return _fitted(z)


def _fitted(z: NDArray[np.complex128]) -> OddEven:
    """The phase line of z (x,)."""
    n = len(z)
    x = (np.arange(n) - n // 2) / n
    weight = np.abs(z)
    shift = float(np.angle(np.vdot(z[:-1], z[1:]))) * n / (2 * np.pi)
    centred = x - (weight * x).sum() / weight.sum()
    curvature = (weight * centred**2).sum()
    for _ in range(_STEPS):
        turned = z * np.exp(-2j * np.pi * shift * x)
        turned *= np.exp(-1j * np.angle(turned.sum()))
        # cos(a) >= 1 - a^2 / 2: a step on that parabola never overshoots.
        step = float((centred * turned.imag).sum() / curvature) / (2 * np.pi) if curvature else 0.0
        shift += step
        if abs(step) < _CONVERGED:
            break
    return OddEven(phase=float(np.angle((z * np.exp(-2j * np.pi * shift * x)).sum())), shift=shift)
