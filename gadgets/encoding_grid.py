"""The grid of an encoding space: where in a k-space array an acquisition belongs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from gadgetron.types.recon_data import SamplingDescription

_GRIDDED = ("cartesian", "epi")


@dataclass(frozen=True)
class Axis:
    """One axis of phase encoding: an index i is at place i + shift of `size`; lowest, centre, highest are places."""

    size: int
    shift: int
    lowest: int
    centre: int
    highest: int


@dataclass(frozen=True)
class Readout:
    """Samples source of an acquisition go to places target of `size`; the centre of k-space is at place `centre`."""

    size: int
    source: slice
    target: slice
    centre: int


def is_gridded(encoding: Any) -> bool:
    """Whether acquisitions are lines of a grid (Cartesian, EPI), and not readouts along a trajectory."""
    return encoding.trajectory.value in _GRIDDED


def is_apart(encoding: Any) -> bool:
    """Whether the reference is acquired apart from the data, with a range of its own."""
    parallel = encoding.parallelImaging
    if parallel is None or parallel.calibrationMode is None:
        return False
    return parallel.calibrationMode.value in ("separate", "external")


def phase_axis(encoding: Any, number: int, found: np.ndarray, reference: bool) -> Axis:
    """Axis E1 or E2 (`number` 1 or 2), for acquisitions with the indices `found`.

    On a grid it is the encoded matrix, with the centre of the encodingLimits at its middle. A reference that is
    acquired apart has the range of its own indices; along a trajectory it is that of the encodingLimits.
    """
    limit = getattr(encoding.encodingLimits, f"kspace_encoding_step_{number}")
    lowest, highest = int(found.min()), int(found.max())
    if is_gridded(encoding) and not (reference and is_apart(encoding)):
        matrix = encoding.encodedSpace.matrixSize
        size = max(matrix.y if number == 1 else matrix.z, 1)
        shift = size // 2 - limit.center if limit and size > 1 else 0
        first, last = (limit.minimum + shift, limit.maximum + shift) if limit else (0, size - 1)
        return Axis(size, shift, min(max(first, 0), size - 1), size // 2, min(max(last, 0), size - 1))
    if limit and not is_gridded(encoding):
        lowest, highest = limit.minimum, limit.maximum
    size = highest - lowest + 1
    centre = limit.center - lowest if limit and lowest <= limit.center <= highest else size // 2
    return Axis(size, -lowest, 0, centre, size - 1)


def readout(encoding: Any, samples: int, centre: int, before: int, after: int) -> Readout:
    """Where the samples of an acquisition go, of which `before` and `after` at its ends were not measured.

    On a grid, an acquisition that is shorter than the encoded readout (with its oversampling, or without where that
    fits) is placed by its centre. Along a trajectory, samples follow each other from place 0.
    Raises ValueError where the samples do not fit, or none was measured.
    """
    if before + after >= samples:
        raise ValueError(f"{samples} samples, of which {before} and {after} are to be discarded")
    if not is_gridded(encoding):
        size = samples - before - after
        return Readout(size, slice(before, samples - after), slice(0, size), min(max(centre - before, 0), size - 1))
    size, first = _place(sorted({_cropped(encoding), encoding.encodedSpace.matrixSize.x}), samples, centre)
    return Readout(size, slice(before, samples - after), slice(first + before, first + samples - after), size // 2)


def _place(sizes: list[int], samples: int, centre: int) -> tuple[int, int]:
    """Size of the readout that the samples are part of, and the place of the first."""
    if samples in sizes or samples > sizes[-1]:
        return samples, 0
    for size in sizes:
        first = size // 2 - centre
        if first >= 0 and first + samples <= size:
            return size, first
    expected = " or ".join(map(str, sizes))
    raise ValueError(f"{samples} samples with the centre at {centre} do not fit a readout of {expected}")


def _cropped(encoding: Any) -> int:
    """Samples of the encoded readout without oversampling."""
    encoded, recon = encoding.encodedSpace, encoding.reconSpace.fieldOfView_mm.x
    if encoded.fieldOfView_mm.x <= 0 or not 0 < recon < encoded.fieldOfView_mm.x:
        return int(encoded.matrixSize.x)
    return max(1, round(encoded.matrixSize.x * recon / encoded.fieldOfView_mm.x))


def sampling(encoding: Any, readouts: Iterable[Readout], e1: Axis, e2: Axis) -> SamplingDescription:
    """Fields of view (mm), matrices, and the range of places that are sampled along each axis."""
    made, readouts = SamplingDescription(), list(readouts)
    encoded, recon = encoding.encodedSpace, encoding.reconSpace
    made.encoded_FOV[:] = _xyz(encoded.fieldOfView_mm)
    made.recon_FOV[:] = _xyz(recon.fieldOfView_mm)
    made.encoded_matrix[:] = _xyz(encoded.matrixSize)
    made.recon_matrix[:] = _xyz(recon.matrixSize)
    if is_gridded(encoding):
        made.encoded_matrix[0] = readouts[0].size
        if readouts[0].size == _cropped(encoding) != encoded.matrixSize.x:
            made.encoded_FOV[0] = recon.fieldOfView_mm.x
    lowest, highest = min(r.target.start for r in readouts), max(r.target.stop for r in readouts) - 1
    ranges = ((lowest, readouts[0].centre, highest), *((a.lowest, a.centre, a.highest) for a in (e1, e2)))
    for limit, (low, centre, high) in zip(made.sampling_limits, ranges, strict=True):
        limit.min, limit.center, limit.max = low, centre, high
    return made


def _xyz(size: Any) -> tuple[Any, Any, Any]:
    return size.x, size.y, size.z
