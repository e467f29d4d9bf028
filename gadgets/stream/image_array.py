"""IMAGE_ARRAY (1024): images that belong together, with headers and meta.

data: complex64 [X, Y, Z, CHA, N, S, LOC] in Fortran order; one ImageHeader for each [N, S, LOC]; meta XML strings,
either none or one for each image with n running fastest; optional waveforms and acquisition headers [Y, Z, N, S, LOC].
"""

from __future__ import annotations

import numpy as np
from gadgetron.types.image_array import ImageArray

from .dtypes import ACQUISITION_HEADER, IMAGE_HEADER
from .headers import header_array
from .ids import MessageId
from .limits import Limits
from .primitives import (
    U16,
    U64,
    Buffer,
    Reader,
    array,
    joined,
    optional,
    put_array,
    put_optional,
    put_string,
    string,
    text,
    unsigned,
)
from .waveform import payload, read_waveform

SAMPLE = np.dtype("<c8")


def read_image_array(limits: Limits) -> Reader[ImageArray]:
    data = yield from array(SAMPLE, limits, "image array", 7)
    headers = yield from array(IMAGE_HEADER, limits, "image array headers", 3)
    meta = []
    for _ in range(limits.check("count", (yield from unsigned(8)), "number of image metas")):
        meta.append(text((yield from string(8, limits, "image meta", "meta")), "image meta"))
    waveforms = yield from optional(lambda: _read_waveforms(limits))
    acquisitions = yield from optional(lambda: array(ACQUISITION_HEADER, limits, "image array acquisition headers", 5))
    return ImageArray(
        data,
        header_array(headers, IMAGE_HEADER),
        meta,
        waveforms,
        None if acquisitions is None else header_array(acquisitions, ACQUISITION_HEADER),
    )


def _read_waveforms(limits: Limits) -> Reader[list]:  # type: ignore[type-arg]
    count = limits.check("count", (yield from unsigned(8)), "number of waveforms")
    waveforms = []
    for _ in range(count):
        waveforms.append((yield from read_waveform(limits)))
    return waveforms


def write_image_array(images: ImageArray) -> list[Buffer]:
    meta = [m if isinstance(m, str) else m.serialize() for m in images.meta or []]
    acquisitions = images.acq_headers
    return [
        U16.pack(MessageId.IMAGE_ARRAY),
        *put_array(images.data, SAMPLE),
        *put_array(header_array(images.headers, IMAGE_HEADER), IMAGE_HEADER),
        U64.pack(len(meta)),
        *joined(put_string(m.encode()) for m in meta),
        *put_optional(images.waveform, lambda w: [U64.pack(len(w)), *joined(map(payload, w))]),
        *put_optional(
            None if acquisitions is None else header_array(acquisitions, ACQUISITION_HEADER),
            lambda h: put_array(h, ACQUISITION_HEADER),
        ),
    ]
