"""Make references ready for calibration, as Gadgetron's GenericReconCartesianReferencePrepGadget."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
from gadgetron.types.recon_data import ReconBit, ReconBuffer, ReconData

from gadgets.outputs.image_headers import acquired_lines
from gadgets.properties import gadget
from gadgets.recon_buffers import holds_maps
from gadgets.stream.connection import Connection
from gadgets.stream.dtypes import ACQUISITION_HEADER
from gadgets.stream.headers import header_array

# Calibration modes in which the reference has a grid of its own, whose middle counts as the centre of k-space.
_OWN_GRID = ("embedded", "separate", "external", "other")


@gadget
def generic_recon_cartesian_reference_prep(
    connection: Connection,
    *,
    average_all_ref_N: bool = True,
    average_all_ref_S: bool = False,
    prepare_ref_always: bool = True,
    debug_folder: str = "",
    perform_timing: bool = False,
    verbose: bool = False,
) -> None:
    """Average references, and cut them to what was sampled. recon data -> recon data.

    Where the header announces no acceleration, and no reference came, the data are their own reference. Each line is
    averaged over those N and S in which it was acquired. What is left is the box of E1 and E2 that holds all lines, and
    the range of E0 that was sampled; sampling_limits say where the centre of k-space is in it: half way for references
    acquired as a block (calibrationMode embedded, separate, external, other), else where it is on the grid of the data.
    Along E0 the limits stay those of the whole readout, as Gadgetron's reconstructions expect.

    average_all_ref_N, average_all_ref_S: the axes to average over. prepare_ref_always: false prepares the first
    reference of each encoding space, and removes those that follow: the reconstruction then keeps what it has
    calibrated. debug_folder, perform_timing, verbose: taken for the sake of stock chains, without effect.

    References that hold maps (coil_sensitivities), and other items, pass unchanged.
    """
    prepared: set[int] = set()
    for item in connection.blocks():
        if isinstance(item, ReconData):
            bits = []
            for space, bit in enumerate(item.bits):
                encodings = connection.header.encoding
                mode = _mode(encodings[space]) if space < len(encodings) else ""
                ref = bit.data if not mode and not _there(bit.ref) else bit.ref
                if not _there(ref) or holds_maps(ref):
                    bits.append(bit)
                    continue
                if prepare_ref_always or space not in prepared:
                    axes = [axis for axis, wanted in ((2, average_all_ref_N), (3, average_all_ref_S)) if wanted]
                    bits.append(ReconBit(bit.data, _prepared(ref, axes, mode in _OWN_GRID)))
                else:
                    bits.append(ReconBit(bit.data))
                prepared.add(space)
            item = ReconData(bits)
        connection.send(item)


def _there(buffer: ReconBuffer | None) -> bool:
    return buffer is not None and buffer.data.size > 0


def _mode(encoding: Any) -> str:
    """The calibration mode of an accelerated encoding space; nothing for one that is not accelerated."""
    parallel = encoding.parallelImaging
    if parallel is None or parallel.accelerationFactor is None:
        return ""
    factor = parallel.accelerationFactor
    if factor.kspace_encoding_step_1 <= 1 and factor.kspace_encoding_step_2 <= 1:
        return ""
    return parallel.calibrationMode.value if parallel.calibrationMode is not None else "other"


def _prepared(ref: ReconBuffer, axes: list[int], own_grid: bool) -> ReconBuffer:
    """A reference averaged over `axes` of its headers (2: N, 3: S), and cut to what was sampled."""
    data, headers = ref.data, header_array(ref.headers, ACQUISITION_HEADER).view(np.ndarray)
    lines = acquired_lines(ref)
    if not lines.any():
        lines = (data != 0).any(axis=(0, 3))
    for axis in axes:
        if headers.shape[axis] > 1:
            counts = lines.sum(axis=axis, keepdims=True)
            first = np.expand_dims(lines.argmax(axis=axis), axis)
            data = data.sum(axis=axis + 2, keepdims=True) / np.maximum(counts, 1)[None, :, :, None].astype(np.float32)
            headers = np.take_along_axis(headers, first, axis)
            lines = counts > 0
    e1, e2 = (_extent(lines.any(axis=axes)) for axes in ((1, 2, 3, 4), (0, 2, 3, 4)))
    sampling = copy.deepcopy(ref.sampling)
    limits, length = sampling.sampling_limits, data.shape[0]
    e0 = slice(limits[0].min, limits[0].max + 1) if limits[0].min <= limits[0].max < length else slice(0, length)
    limits[0].min, limits[0].center, limits[0].max = e0.start, length // 2, e0.stop - 1
    for limit, part, size in zip(limits[1:], (e1, e2), lines.shape[:2], strict=True):
        points = part.stop - part.start
        centre = points // 2 if own_grid else size // 2 - part.start
        limit.min, limit.center, limit.max = 0, min(max(centre, 0), points - 1), points - 1
    headers = headers[e1, e2].copy(order="F")
    there = headers["number_of_samples"] > 0
    headers["number_of_samples"] = np.where(there, e0.stop - e0.start, 0)
    headers["center_sample"] = np.where(there, min(max(length // 2 - e0.start, 0), e0.stop - e0.start - 1), 0)
    headers["discard_pre"] = headers["discard_post"] = 0
    data = np.asarray(data[e0, e1, e2], np.complex64)
    return ReconBuffer(data, None, None, header_array(headers, ACQUISITION_HEADER), sampling)


def _extent(there: Any) -> slice:
    places = np.flatnonzero(there)
    return slice(int(places[0]), int(places[-1]) + 1) if len(places) else slice(0, len(there))
