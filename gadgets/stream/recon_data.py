"""RECON_DATA (1023): per encoding space, sorted k-space data and, optionally, reference data.

data: complex64 [E0, E1, E2, CHA, N, S, LOC] in Fortran order, which transposed is (LOC, S, N, CHA, E2, E1, E0)
without a copy; trajectory, density; one AcquisitionHeader for each [E1, E2, N, S, LOC]; sampling description.
"""

from __future__ import annotations

import ctypes
import functools

import numpy as np
from gadgetron.types.recon_data import ReconBit, ReconBuffer, ReconData, SamplingDescription

from .dtypes import ACQUISITION_HEADER
from .headers import header_array
from .ids import MessageId
from .limits import Limits
from .primitives import U16, U64, Buffer, Reader, array, joined, optional, put_array, put_optional, unsigned

SAMPLE = np.dtype("<c8")
FLOAT = np.dtype("<f4")
SAMPLING_BYTES = ctypes.sizeof(SamplingDescription)


def read_recon_data(limits: Limits) -> Reader[ReconData]:
    count = limits.check("count", (yield from unsigned(8)), "number of encoding spaces")
    bits = []
    for _ in range(count):
        buffer = yield from _read_buffer(limits)
        bits.append(ReconBit(buffer, (yield from optional(functools.partial(_read_buffer, limits)))))
    return ReconData(bits)


def _read_buffer(limits: Limits) -> Reader[ReconBuffer]:
    data = yield from array(SAMPLE, limits, "recon data", 7)
    trajectory = yield from optional(lambda: array(FLOAT, limits, "recon data trajectory", 7))
    density = yield from optional(lambda: array(FLOAT, limits, "recon data density", 6))
    headers = yield from array(ACQUISITION_HEADER, limits, "recon data headers", 5)
    sampling = SamplingDescription.from_buffer_copy((yield SAMPLING_BYTES).tobytes())
    return ReconBuffer(data, trajectory, density, header_array(headers, ACQUISITION_HEADER), sampling)


def write_recon_data(recon: ReconData) -> list[Buffer]:
    bits = list(recon.bits)
    head: list[Buffer] = [U16.pack(MessageId.RECON_DATA), U64.pack(len(bits))]
    return joined([head, *(_write_buffer(b.data) + put_optional(b.ref, _write_buffer) for b in bits)])


def _write_buffer(buffer: ReconBuffer) -> list[Buffer]:
    return [
        *put_array(buffer.data, SAMPLE),
        *put_optional(buffer.trajectory, lambda values: put_array(values, FLOAT)),
        *put_optional(buffer.density, lambda values: put_array(values, FLOAT)),
        *put_array(header_array(buffer.headers, ACQUISITION_HEADER), ACQUISITION_HEADER),
        bytes(buffer.sampling),
    ]
