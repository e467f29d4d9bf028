"""How an image was sampled, in its meta: names and values of Gadgetron's generic reconstruction.

Gadgets that follow a reconstruction work on k-space once more, and must know what part of it was acquired, and of what
field of view: theirs here, and Gadgetron's own in chains that have both. Axes are RO, E1, E2; places count from 0 on
the matrix of the image, with the centre of k-space at N // 2.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import floor
from typing import Any

import ismrmrd
from gadgetron.types.recon_data import SamplingDescription

from gadgets.outputs.meta import values

AXES = ("RO", "E1", "E2")
#: Image arrays with this entry are left as they are by filters and partial Fourier.
SKIP = "Skip_processing_after_recon"


def record_sampling(
    meta: ismrmrd.Meta,
    space: int,
    sampling: SamplingDescription,
    matrix: Sequence[int] | None = None,
    zoom: Sequence[float] = (1.0, 1.0, 1.0),
) -> None:
    """Write the encoding space, fields of view (mm), matrices, and the first, central and last place sampled.

    matrix (x, y, z): that of the image, where it is not the buffer's any more; zoom: its field of view over the
    buffer's. A point of k-space is then `zoom` as far from the centre as it was, and points beyond the matrix are gone.
    """
    meta["encoding"] = str(space)
    meta["encoding_FOV"] = [repr(float(size)) for size in sampling.encoded_FOV]
    meta["recon_FOV"] = [repr(float(size)) for size in sampling.recon_FOV]
    meta["encoded_matrix"] = [str(size) for size in sampling.encoded_matrix]
    meta["recon_matrix"] = [str(size) for size in sampling.recon_matrix]
    for number, (axis, limit) in enumerate(zip(AXES, sampling.sampling_limits, strict=True)):
        first, centre, last = limit.min, limit.center, limit.max
        if matrix is not None:
            middle = matrix[number] // 2
            first = max(0, middle - floor((centre - first) * zoom[number]))
            last = min(matrix[number] - 1, middle + floor((last - centre) * zoom[number]))
            centre = middle
        meta[f"sampling_limits_{axis}"] = [str(place) for place in (first, centre, last)]


def record_range(meta: ismrmrd.Meta, axis: str, length: int) -> None:
    """Write that all of an axis of `length` is there."""
    meta[f"sampling_limits_{axis}"] = [str(place) for place in (0, length // 2, length - 1)]


def encoding_of(meta: ismrmrd.Meta, header: Any) -> int:
    """The encoding space of an image, 0 where its meta does not say.

    Raises ValueError for one that the scan's header does not describe.
    """
    space = int(next(iter(values(meta, "encoding")), 0))
    if not 0 <= space < len(header.encoding):
        raise ValueError(f"an image is of encoding space {space}; the header describes {len(header.encoding)}")
    return space


def sampled_range(meta: ismrmrd.Meta, axis: str, length: int) -> tuple[int, int]:
    """The first and the last place of `axis` that were sampled; all of it where the meta does not say.

    Raises ValueError for limits that are not about the centre of an axis of `length`: the image had another matrix
    when they were written.
    """
    found = [int(float(place)) for place in values(meta, f"sampling_limits_{axis}")]
    if not found:
        return 0, length - 1
    if len(found) != 3 or found[1] != length // 2 or not 0 <= found[0] <= found[1] <= found[2] < length:
        raise ValueError(
            f"sampling_limits_{axis} of an image are {found}, expected the first, central ({length // 2}) and last "
            f"place on its {length} points: was its matrix changed before?"
        )
    return found[0], found[2]


def partial_ranges(
    meta: ismrmrd.Meta, matrix: Sequence[int], acceleration: Sequence[int]
) -> list[tuple[int, int] | None]:
    """For each axis of `matrix` (x, y, z) what was sampled of it, or None where that is all or as good as symmetric.

    As in Gadgetron, a side must lack more than the other by over `acceleration` (x, y, z): lines between those of a
    lattice, and beyond its last, are no partial Fourier.
    """
    found: list[tuple[int, int] | None] = []
    for axis, length, factor in zip(AXES, matrix, acceleration, strict=True):
        first, last = sampled_range(meta, axis, length)
        uneven = abs((last - length // 2) - (length // 2 - first)) > factor
        found.append((first, last) if uneven and last - first + 1 < length and length > 1 else None)
    return found


def acceleration(encoding: Any) -> tuple[int, int, int]:
    """Acceleration of an encoding space along (x, y, z) by the scan's header."""
    parallel = encoding.parallelImaging
    if parallel is None or parallel.accelerationFactor is None:
        return 1, 1, 1
    factor = parallel.accelerationFactor
    return 1, max(int(factor.kspace_encoding_step_1), 1), max(int(factor.kspace_encoding_step_2), 1)
