"""Channels in the order of their energy, the weak ones left out, as Gadgetron's GenericReconEigenChannelGadget."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np
from gadgetron.types.recon_data import ReconBit, ReconBuffer, ReconData

from gadgets.mri.calibration.compression import eigen_channels
from gadgets.mri.channels import mix
from gadgets.properties import gadget
from gadgets.recon_buffers import holds_maps, slices
from gadgets.stream.connection import Connection
from gadgets.stream.dtypes import ACQUISITION_HEADER
from gadgets.stream.headers import header_array

log = logging.getLogger(__name__)

# Matrices (kept, channel) of each [LOC][S][N].
Matrices = dict[tuple[int, int, int], np.ndarray]


def _check(settings: Mapping[str, Any]) -> None:
    if settings["upstream_coil_compression_thres"] > 1:
        raise ValueError(
            f"upstream_coil_compression_thres is {settings['upstream_coil_compression_thres']}, "
            "expected a share of the strongest channel's energy, up to 1"
        )


@gadget(check=_check)
def generic_recon_eigen_channel(
    connection: Connection,
    *,
    average_all_ref_N: bool = True,
    average_all_ref_S: bool = False,
    upstream_coil_compression: bool = True,
    upstream_coil_compression_thres: float = -1.0,
    upstream_coil_compression_num_modesKept: int = 0,
    update_eigen_channel_coefficients: bool = False,
    debug_folder: str = "",
    perform_timing: bool = False,
    verbose: bool = False,
) -> None:
    """Replace the channels of data and reference by their principal components. recon data -> recon data.

    Components come from the reference or, without one, from the data, less the mean of each channel; each slice has its
    own. They are orthonormal, so white noise stays white. Kept are, of all slices as many as of the first, the
    components with at least upstream_coil_compression_thres of the first one's energy (0 or less: all), or the number
    upstream_coil_compression_num_modesKept where that is above 0, or all with upstream_coil_compression=false.

    average_all_ref_N, average_all_ref_S: one set of components for all N, or S, from their mean; else each has its own.
    update_eigen_channel_coefficients: false keeps the components that a slice had first, which keeps later buffers
    comparable. debug_folder, perform_timing, verbose: taken for the sake of stock chains, without effect.

    Buffers whose reference holds maps (coil_sensitivities), which are of the channels as they are, pass unchanged, and
    so do other items. Raises ValueError for samples that are not finite or all zero.

    Huang et al., Magn Reson Imaging 2008;26:133. doi:10.1016/j.mri.2007.04.010
    """
    known: dict[tuple[Any, ...], Matrices] = {}
    number = upstream_coil_compression_num_modesKept
    limits: dict[str, Any] = {}
    if upstream_coil_compression and number > 0:
        limits["coils"] = number
    elif upstream_coil_compression:
        limits["threshold"] = max(upstream_coil_compression_thres, 0.0)
    averaged = [axis for axis, wanted in ((4, average_all_ref_N), (5, average_all_ref_S)) if wanted]
    for item in connection.blocks():
        if isinstance(item, ReconData):
            bits = []
            for space, bit in enumerate(item.bits):
                if not bit.data.data.size or holds_maps(bit.ref):
                    bits.append(bit)
                    continue
                key = (space, tuple(slices(bit.data)), bit.data.data.shape[3])
                if key not in known or update_eigen_channel_coefficients:
                    source = bit.ref if bit.ref is not None and bit.ref.data.size else bit.data
                    known[key] = _matrices(source.data, averaged, limits)
                    log.info("encoding space %d: %d of %d channels", space, len(known[key][0, 0, 0]), key[2])
                bits.append(ReconBit(*(_mixed(each, known[key]) for each in (bit.data, bit.ref))))
            item = ReconData(bits)
        connection.send(item)


def _matrices(data: np.ndarray, averaged: list[int], limits: Mapping[str, Any]) -> Matrices:
    """Matrices for samples [E0, E1, E2, CHA, N, S, LOC]."""
    for axis in averaged:
        # Lines of some N alone weigh less than those of all; directions in channel space hardly change.
        data = data.mean(axis=axis, keepdims=True)
    made: Matrices = {}
    for loc, s, n in np.ndindex(data.shape[:3:-1]):
        samples = data[..., n, s, loc].T.reshape(data.shape[3], -1)
        if not samples.any():
            continue
        made[loc, s, n] = eigen_channels(samples, **limits)
        limits = {"coils": len(made[loc, s, n])}
    if not made:
        raise ValueError("samples are all zero: there are no principal channels")
    some = next(iter(made.values()))
    return {index: made.get(index, some) for index in np.ndindex(data.shape[:3:-1])}


def _mixed(buffer: ReconBuffer | None, matrices: Matrices) -> ReconBuffer | None:
    """A buffer with other channels; N and S beyond those of the matrices share their last ones."""
    if buffer is None or not buffer.data.size:
        return buffer
    kept = len(matrices[0, 0, 0])
    whole = np.asarray(buffer.data.T, np.complex64)
    last = [max(index[axis] for index in matrices) for axis in range(3)]
    out = np.empty((*whole.shape[:3], kept, *whole.shape[4:]), np.complex64)
    for index in np.ndindex(whole.shape[:3]):
        loc, s, n = (min(i, most) for i, most in zip(index, last, strict=True))
        matrix = matrices[loc, s, n]
        out[index] = mix(matrix, whole[index].reshape(1, whole.shape[3], -1)).reshape(out.shape[3:])
    headers = header_array(buffer.headers, ACQUISITION_HEADER).view(np.ndarray).copy(order="F")
    headers["active_channels"] = np.where(headers["number_of_samples"] > 0, kept, headers["active_channels"])
    return ReconBuffer(
        out.T, buffer.trajectory, buffer.density, header_array(headers, ACQUISITION_HEADER), buffer.sampling
    )
