"""Image headers from the acquisition headers of a recon buffer. Numpy only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ismrmrd
import numpy as np
from gadgetron.types.recon_data import ReconBuffer

from gadgets.stream.dtypes import ACQUISITION_HEADER, IMAGE_HEADER
from gadgets.stream.headers import HeaderArray, header_array, zeros

_COPIED = (
    "measurement_uid",
    "position",
    "read_dir",
    "phase_dir",
    "slice_dir",
    "patient_table_position",
    "acquisition_time_stamp",
    "physiology_time_stamp",
    "user_int",
    "user_float",
)
_COUNTERS = ("average", "slice", "contrast", "phase", "repetition", "set")
COMPLEX_FLOAT = ismrmrd.DATATYPE_CXFLOAT


def acquired_lines(buffer: ReconBuffer) -> np.ndarray:
    """Which lines of a buffer were acquired: bool [E1, E2, N, S, LOC]. A line without one has a header of zeros."""
    return header_array(buffer.headers, ACQUISITION_HEADER)["number_of_samples"] > 0


def image_headers(
    buffer: ReconBuffer, matrix: Sequence[int], field_of_view: Sequence[float], *, image_type: int, series: int = 0
) -> HeaderArray:
    """One header for each image [N, S, LOC] of a buffer.

    matrix: (x, y, z); field_of_view: (x, y, z) in mm, of the image as it is. Position (the centre of the image, which
    is the centre of the scan's field of view), directions, time stamps and counters are those of the acquisition at
    the centre of k-space or, if that was not acquired, of the first one that was. An image of which nothing was
    acquired has a header of zeros. image_index is left 0.
    """
    records = header_array(buffer.headers, ACQUISITION_HEADER).view(np.ndarray)
    acquired = acquired_lines(buffer)
    centre = tuple(
        limit.center if limit.center < length else length // 2
        for limit, length in zip(buffer.sampling.sampling_limits[1:], records.shape[:2], strict=True)
    )
    headers = zeros(records.shape[2:], IMAGE_HEADER)
    out = headers.view(np.ndarray)
    for index in np.ndindex(*records.shape[2:]):
        there = acquired[(..., *index)]
        if not there.any():
            continue
        line = centre if there[centre] else np.unravel_index(there.argmax(), there.shape)
        source = records[(*line, *index)]
        out[index] = _header(source, matrix, field_of_view, image_type, series)
    return headers


def _header(source: Any, matrix: Sequence[int], field_of_view: Sequence[float], image_type: int, series: int) -> Any:
    made = np.zeros((), IMAGE_HEADER)
    made["version"] = 1
    made["data_type"] = COMPLEX_FLOAT
    made["channels"] = 1
    made["matrix_size"] = matrix
    made["field_of_view"] = field_of_view
    made["image_type"] = image_type
    made["image_series_index"] = series
    for name in _COPIED:
        made[name] = source[name]
    for name in _COUNTERS:
        made[name] = source["idx"][name]
    return made
