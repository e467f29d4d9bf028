"""Two image files side by side, by the rules of Gadgetron's integration tests."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

import ismrmrd
import numpy as np

from .hdf5 import Array
from .images import read_images

#: Gadgetron's default for the difference of pixels, and for the difference of their scale from 1.
THRESHOLD = 0.01
_HEADER_TOLERANCE = 1e-6

_EXACT = (
    *("version", "data_type", "flags", "measurement_uid", "matrix_size", "channels", "average", "slice", "contrast"),
    *("phase", "repetition", "set", "image_type", "image_index", "user_int"),
)
_CLOSE = ("field_of_view", "position", "read_dir", "phase_dir", "slice_dir", "patient_table_position", "user_float")


@dataclass(frozen=True)
class SeriesComparison:
    """One series of images against its reference.

    difference: ||images - reference|| / ||reference||; scale: <images, images> / <images, reference>; both over all
    pixels of the series, NaN where their number differs. headers: what differs in headers, a line for each field.
    """

    name: str
    difference: float
    scale: float
    headers: tuple[str, ...]

    def passes(self, threshold: float = THRESHOLD) -> bool:
        """Whether pixels and scale agree to the threshold, and the headers agree."""
        return self.difference <= threshold and abs(1 - self.scale) <= threshold and not self.headers

    def __str__(self) -> str:
        lines = [f"{self.name}: difference {self.difference:.3g}, scale {self.scale:.6g}"]
        return "\n".join([*lines, *(f"{self.name}: {text}" for text in self.headers)])


@dataclass(frozen=True)
class Comparison:
    """All series of two files; `alone` tells of those that only one of them has."""

    series: tuple[SeriesComparison, ...]
    alone: tuple[str, ...]

    def passes(self, threshold: float = THRESHOLD) -> bool:
        """Whether both files have the same series, and all of them agree."""
        return not self.alone and all(series.passes(threshold) for series in self.series)

    def __str__(self) -> str:
        return "\n".join([*map(str, self.series), *self.alone])


def compare(
    path: str | os.PathLike[str],
    reference: str | os.PathLike[str],
    *,
    group: str | None = None,
    reference_group: str | None = None,
) -> Comparison:
    """The images of a file against those of a reference, series by series.

    Headers must agree exactly in sizes, counters, flags and types, and to 1e-6 (relative above 1) in positions,
    directions and other fractions; time stamps and the number of the series are not compared. Series go by their
    names; where each file has a single one, these two belong together.
    Raises DatasetError for a file without images, or with several groups of them where none is named.
    """
    ours, theirs = read_images(path, group), read_images(reference, reference_group)
    if len(ours) == len(theirs) == 1:
        ours = dict(zip(theirs, ours.values(), strict=True))
    alone = [f"{name} is not in {reference}" for name in ours if name not in theirs]
    alone += [f"{name} is not in {path}" for name in theirs if name not in ours]
    series = [compare_images(images, theirs[name], name) for name, images in ours.items() if name in theirs]
    return Comparison(tuple(series), tuple(alone))


def compare_images(
    images: Sequence[ismrmrd.Image], reference: Sequence[ismrmrd.Image], name: str = "images"
) -> SeriesComparison:
    """One series of images against its reference."""
    headers = []
    if len(images) != len(reference):
        headers.append(f"{len(images)} images, the reference has {len(reference)}")
    for field in (*_EXACT, *_CLOSE):
        pairs = [(_field(a, field), _field(b, field)) for a, b in zip(images, reference, strict=False)]
        wrong = [i for i, (a, b) in enumerate(pairs) if not _agrees(a, b, exactly=field in _EXACT)]
        if wrong:
            a, b = pairs[wrong[0]]
            headers.append(f"{field} differs in {len(wrong)} images; in image {wrong[0]} {a}, the reference has {b}")
    ours, theirs = _pixels(images), _pixels(reference)
    if ours.shape != theirs.shape:
        return SeriesComparison(name, float("nan"), float("nan"), tuple(headers))
    if np.array_equal(ours, theirs):
        return SeriesComparison(name, 0.0, 1.0, tuple(headers))
    with np.errstate(divide="ignore", invalid="ignore"):
        difference = np.linalg.norm(ours - theirs) / np.linalg.norm(theirs)
        scale = np.vdot(ours, ours).real / np.vdot(ours, theirs).real
    return SeriesComparison(name, float(difference), float(scale), tuple(headers))


def _pixels(images: Sequence[ismrmrd.Image]) -> Array:
    return np.concatenate([np.asarray(image.data, np.complex128).ravel() for image in images])


def _field(image: ismrmrd.Image, name: str) -> tuple[float, ...]:
    value = getattr(image.getHead(), name)
    return tuple(value) if hasattr(value, "__len__") else (value,)


def _agrees(ours: tuple[float, ...], theirs: tuple[float, ...], *, exactly: bool) -> bool:
    if exactly:
        return ours == theirs
    return bool(np.allclose(ours, theirs, rtol=_HEADER_TOLERANCE, atol=_HEADER_TOLERANCE))
