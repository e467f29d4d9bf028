"""Fewer virtual channels with nearly all of the signal, by principal components: of the scan, or along the readout."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import Any, Literal

import ismrmrd
import numpy as np

from gadgets.mri.calibration.compression import compression_matrix
from gadgets.mri.calibration.geometric_compression import geometric_compression
from gadgets.mri.channels import mix, mix_along
from gadgets.properties import gadget
from gadgets.receivers import receivers_message, receivers_of
from gadgets.stream.blocks import AcquisitionBlock
from gadgets.stream.connection import Connection
from gadgets.stream.runs import AUXILIARY, any_flag, runs

log = logging.getLogger(__name__)

_NOISE = (ismrmrd.ACQ_IS_NOISE_MEASUREMENT,)
_CALIBRATION = (ismrmrd.ACQ_IS_PARALLEL_CALIBRATION, ismrmrd.ACQ_IS_PARALLEL_CALIBRATION_AND_IMAGING)
_LAST = (ismrmrd.ACQ_LAST_IN_REPETITION, ismrmrd.ACQ_LAST_IN_MEASUREMENT)
# Calibration lines of a slice that are enough to go by when image data follow them: the smallest usual region.
_ENOUGH = 16
# No more is held back than this; the gadgets that follow hold a whole frame in any case.
_LARGEST_HELD = 4 << 30
# Acquisitions that the matrix is computed from; of more, every k-th is taken.
_SAMPLED = 4096


def _check(settings: Mapping[str, Any]) -> None:
    if settings["coils"] is not None and settings["coils"] < 1:
        raise ValueError(f"coils is {settings['coils']}, expected 1 or more")
    if not 0 < settings["energy"] <= 1:
        raise ValueError(f"energy is {settings['energy']}, expected a share above 0 and up to 1")


@gadget(check=_check)
def coil_compression(
    connection: Connection,
    *,
    method: Literal["pca", "gcc"] = "pca",
    coils: int | None = None,
    energy: float = 0.9995,
) -> None:
    """Replace the channels by their leading principal components. acquisitions -> acquisitions.

    method: `pca`, one matrix of orthonormal rows, or `gcc` (geometric coil compression), one at each place along the
    readout, aligned with its neighbours, which needs fewer channels for the same signal. What is estimated serves the
    whole scan, all slices and encoding spaces, and is not estimated again. It comes from the calibration lines (flags
    20, 21) of the first frame or, where there are none, from its image data. The data should be noise-adjusted: only
    then can the energy of a component be compared with the noise.

    Items are held back, in order, until the matrix is known: until the first frame ends (a change of repetition, or
    the flag LAST_IN_REPETITION or LAST_IN_MEASUREMENT), until image data follow 16 calibration lines of each slice of
    the header's encodingLimits (256 in a three-dimensional scan), until 4 GiB are held, or until the input ends. Noise
    acquisitions, and acquisitions of a single channel, pass unchanged. A description of the channels by noise_adjust
    becomes one of the virtual channels.

    coils: virtual channels to keep; where it is given, energy has no say. energy: share of the energy, above 0 and up
    to 1, to be kept at least, with the fewest channels that do.

    `gcc` is for Cartesian readouts of one length, after remove_ro_oversampling (maps are normalised over the receivers
    on the field of view that readouts have here), with echoes in the middle.

    Raises ValueError for data that are not finite or all zero, for a number of channels that changes and, with `gcc`,
    for readouts with a trajectory, in reverse, or of another length.

    pca: Huang et al., Magn Reson Imaging 2008;26:133. doi:10.1016/j.mri.2007.04.010
    gcc: Zhang et al., MRM 2013;69:571. doi:10.1002/mrm.24267
    """
    compression = _Compression(connection.header, method, coils, None if coils is not None else energy)
    for item in connection.blocks():
        for ready in compression.take(item):
            connection.send(ready)
    for ready in compression.release():
        connection.send(ready)


class _Compression:
    """What is held back of the first frame and, once that is complete, the matrix."""

    def __init__(self, header: Any, method: str, coils: int | None, energy: float | None):
        self.geometric, self.coils, self.energy = method == "gcc", coils, energy
        # (kept, coil), or (x, kept, coil) along the readout.
        self.matrix: np.ndarray | None = None
        self.receivers: np.ndarray | None = None
        self.held: list[tuple[Any, bool]] = []
        self.nbytes = 0
        self.repetition = 0
        self.usable = False
        encoding = header.encoding[0] if header.encoding else None
        slices = encoding.encodingLimits.slice if encoding else None
        self.first_slice = slices.minimum if slices else 0
        self.calibrated = np.zeros(slices.maximum - slices.minimum + 1 if slices else 1, np.int64)
        volume = encoding is not None and encoding.encodedSpace.matrixSize.z > 1
        self.enough = _ENOUGH**2 if volume else _ENOUGH

    def take(self, item: Any) -> Iterator[Any]:
        """What can be sent on, now that `item` has come."""
        if not isinstance(item, AcquisitionBlock):
            if self.matrix is None and (found := receivers_of(item)) is not None:
                self.receivers = found
            else:
                yield from self._in_order(item)
            return
        headers = item.headers
        noise, auxiliary = any_flag(headers, _NOISE), any_flag(headers, AUXILIARY)
        calibration, last = any_flag(headers, _CALIBRATION), any_flag(headers, _LAST).astype(np.int64)
        undecided = (auxiliary, calibration, headers["idx"]["repetition"], np.cumsum(last) - last)
        for part in runs(noise, *(undecided if self.matrix is None else ())):
            block, first = item[part], part.start
            if noise[first] or item.data.shape[1] == 1:
                yield from self._in_order(block)
                continue
            image = not (auxiliary[first] or calibration[first])
            if self.usable and self.matrix is None and self._complete_before(block, image):
                yield from self.release()
            if self.matrix is not None:
                yield self._compressed(block)
                continue
            self._hold(block, bool(calibration[first]))
            self.usable = self.usable or not auxiliary[first]
            if self.usable and (last[part.stop - 1] or self.nbytes > _LARGEST_HELD):
                yield from self.release()

    def _in_order(self, item: Any) -> Iterator[Any]:
        """An item that is not compressed, behind those that are held."""
        if self.held:
            self.held.append((item, False))
        else:
            yield item

    def _complete_before(self, block: AcquisitionBlock, image: bool) -> bool:
        """Whether what is held is enough to go by, as `block` comes after it."""
        if int(block.headers["idx"]["repetition"][0]) != self.repetition:
            return True
        return image and bool((self.calibrated >= self.enough).all())

    def _hold(self, block: AcquisitionBlock, calibration: bool) -> None:
        self.held.append((block, True))
        self.nbytes += block.nbytes
        self.repetition = int(block.headers["idx"]["repetition"][0])
        if calibration:
            place = block.headers["idx"]["slice"].astype(np.int64) - self.first_slice
            np.add.at(self.calibrated, place[(place >= 0) & (place < len(self.calibrated))], 1)

    def release(self) -> Iterator[Any]:
        """Everything that is held, in order, compressed by the matrix that it gives."""
        held, self.held = self.held, []
        if self.usable and self.matrix is None:
            self.matrix = self._estimate([item for item, compress in held if compress])
        if self.receivers is not None:
            # The rows of the matrix are orthonormal: its adjoint leads back from virtual channels to those before.
            back = self.receivers if self.matrix is None else self.receivers @ self.matrix.conj().swapaxes(-1, -2)
            self.receivers = None
            yield receivers_message(back)
        for item, compress in held:
            yield self._compressed(item) if compress and self.matrix is not None else item

    def _estimate(self, blocks: list[AcquisitionBlock]) -> np.ndarray:
        """The matrix by the calibration lines among `blocks`, or by their image data."""
        source, masks = "calibration lines", [any_flag(block.headers, _CALIBRATION) for block in blocks]
        if not any(mask.any() for mask in masks):
            source, masks = "image data", [~any_flag(block.headers, AUXILIARY) for block in blocks]
        channels, places = blocks[0].data.shape[1:]
        step = -(-sum(int(mask.sum()) for mask in masks) // _SAMPLED)
        samples, skip = [], 0
        for block, mask in zip(blocks, masks, strict=True):
            self._expect(block, channels, places)
            indices = np.flatnonzero(mask)
            samples.append(block.data[indices[skip::step]])
            skip = (skip - len(indices)) % step
        if self.geometric:
            matrix = geometric_compression(np.concatenate(samples), coils=self.coils, energy=self.energy)
        else:
            columns = [np.moveaxis(each, 1, 0).reshape(channels, -1) for each in samples]
            matrix = compression_matrix(np.concatenate(columns, axis=1), coils=self.coils, energy=self.energy)
        log.info("%d of %d channels kept, by the %s of the first frame", matrix.shape[-2], channels, source)
        return matrix

    def _compressed(self, block: AcquisitionBlock) -> AcquisitionBlock:
        assert self.matrix is not None
        *places, kept, channels = self.matrix.shape
        self._expect(block, channels, *places)
        mixed = mix_along(self.matrix, block.data) if self.geometric else mix(self.matrix, block.data)
        compressed = block.with_data(mixed, block.trajectory)
        compressed.headers["available_channels"] = kept
        mask = (1 << kept) - 1
        compressed.headers["channel_mask"] = [(mask >> (64 * word)) & (2**64 - 1) for word in range(16)]
        return compressed

    def _expect(self, block: AcquisitionBlock, channels: int, places: int = 0) -> None:
        counters = block.headers["scan_counter"]
        if block.data.shape[1] != channels:
            raise ValueError(
                f"acquisition {counters[0]} has {block.data.shape[1]} channels, the first ones have {channels}: "
                "they cannot be compressed alike"
            )
        if not self.geometric:
            return
        alike = "gcc is for Cartesian readouts that are alike, pca for all"
        if block.data.shape[2] != places:
            raise ValueError(
                f"acquisition {counters[0]} has {block.data.shape[2]} samples, the first ones have {places}: {alike}"
            )
        if block.trajectory is not None:
            raise ValueError(f"acquisition {counters[0]} has a trajectory: {alike}")
        reverse = block.flagged(ismrmrd.ACQ_IS_REVERSE)
        if reverse.any():
            raise ValueError(f"acquisition {counters[reverse][0]} was read in reverse: {alike}")
