"""WAVEFORM (1026): header of 40 bytes, then uint32 samples [channel][sample]."""

from __future__ import annotations

import ismrmrd
import numpy as np

from .dtypes import WAVEFORM_HEADER
from .ids import MessageId
from .limits import Limits
from .primitives import U16, Array, Buffer, Reader, aligned, buffer_of

SAMPLE = np.dtype("<u4")


def read_waveform(limits: Limits) -> Reader[ismrmrd.Waveform]:
    head = ismrmrd.WaveformHeader.from_buffer_copy((yield WAVEFORM_HEADER.itemsize).tobytes())
    shape = (head.channels, head.number_of_samples)
    nbytes = limits.check("waveform", 4 * shape[0] * shape[1], f"waveform {shape}")
    return make_waveform(head, aligned((yield nbytes), SAMPLE).reshape(shape))


def make_waveform(head: ismrmrd.WaveformHeader, data: Array) -> ismrmrd.Waveform:
    """A waveform with a copy of `data` (channels, samples)."""
    return ismrmrd.Waveform(head, data)


def payload(waveform: ismrmrd.Waveform) -> list[Buffer]:
    """Header and samples, without the message id, as composite messages hold them."""
    head = waveform.getHead()
    head.channels, head.number_of_samples = waveform.data.shape
    return [bytes(head), buffer_of(np.asarray(waveform.data, SAMPLE, order="C"))]


def write_waveform(waveform: ismrmrd.Waveform) -> list[Buffer]:
    return [U16.pack(MessageId.WAVEFORM), *payload(waveform)]
