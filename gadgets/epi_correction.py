"""Echo planar readouts onto the grid, and forward and reverse ones in step."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple

import ismrmrd
import numpy as np

from gadgets.mri.calibration.odd_even import OddEven, odd_even
from gadgets.mri.calibration.regridding import Regridding, trapezoid
from gadgets.mri.channels import mix
from gadgets.properties import gadget
from gadgets.stream.blocks import AcquisitionBlock
from gadgets.stream.connection import Connection
from gadgets.stream.runs import AUXILIARY, any_flag, runs

log = logging.getLogger(__name__)

_OTHERS = (
    ismrmrd.ACQ_IS_NOISE_MEASUREMENT,
    *(flag for flag in AUXILIARY if flag != ismrmrd.ACQ_IS_PHASECORR_DATA),
)
_REVERSE_BIT = np.uint64(1 << (ismrmrd.ACQ_IS_REVERSE - 1))
# Lags of the receiver are told apart in steps of 1 / 256 of a step on the grid, so that slices and repetitions, which
# differ by less, share the work of regridding. What remains is taken for the same on ramps as elsewhere.
_LAGS = 256
_TIMES = ("rampUpTime", "flatTopTime", "rampDownTime", "acqDelayTime", "dwellTime", "numSamples")


@gadget
def epi_correction(connection: Connection, *, phase_correction: bool = True) -> None:
    """Echo planar acquisitions on the Cartesian grid, without Nyquist ghost. acquisitions -> acquisitions.

    Samples, taken on ramps or not, forward or reverse (ACQ_IS_REVERSE, in the order of time), are brought to the grid
    of the encoded field of view, along increasing k0. Where they lie is told by the acquisition's trajectory, whose
    first component is k0 in cycles per pixel. Without one, it is told by the trajectoryDescription of the header, as
    Gadgetron's EPIReconXGadget has it: rampUpTime, flatTopTime, rampDownTime, acqDelayTime, dwellTime (microseconds)
    and numSamples; while the receiver is open, the readout passes the whole grid. A pixel is the coarser of those of
    encoded and reconstructed space, as some headers count samples for the one, and others interpolate to the other.

    Three or more navigators (ACQ_IS_PHASECORR_DATA) in alternating directions, read without phase encoding, come before
    the acquisitions of their slice; further navigators hold from the next acquisition on. From them, a phase and a
    shift between forward and reverse readouts, common to all channels, are found. Reverse readouts are turned by the
    phase. The shift is taken for a lag of the receiver, which moves forward and reverse samples by half of it each, and
    by less on ramps. Navigators are consumed.

    Sent acquisitions have no trajectory, center_sample in the middle, discard_pre and discard_post where samples do not
    reach, and are not marked as reverse. The noise level of the image is kept, as by remove_ro_oversampling. Noise,
    auxiliary acquisitions, and those of encoding spaces that are not `epi` pass unchanged.

    phase_correction: false drops the navigators, and leaves the ghost.

    Raises ValueError for acquisitions without navigators, for navigators that are not as above, for a header that does
    not tell where samples lie (naming what is missing), and for samples too far apart for the field of view.

    Bruder et al., MRM 1992;23:311. doi:10.1002/mrm.1910230211
    Ahn and Cho, IEEE TMI 1987;6:32. doi:10.1109/TMI.1987.4307795
    """
    spaces = [_Space(number, encoding) for number, encoding in enumerate(connection.header.encoding)]
    slices: dict[tuple[int, int], _Slice] = {}
    for item in connection.blocks():
        if not isinstance(item, AcquisitionBlock):
            connection.send(item)
            continue
        other, navigator = any_flag(item.headers, _OTHERS), item.flagged(ismrmrd.ACQ_IS_PHASECORR_DATA)
        place, which = item.headers["encoding_space_ref"], item.headers["idx"]["slice"]
        for part in runs(other, navigator, place, which, item.headers["discard_pre"], item.headers["discard_post"]):
            block, number = item[part], int(place[part.start])
            if other[part.start]:
                connection.send(block)
                continue
            if number >= len(spaces):
                raise ValueError(
                    f"acquisition {_counter(block)} is of encoding space {number}; the header describes {len(spaces)}"
                )
            space = spaces[number]
            if not space.is_epi:
                connection.send(block)
                continue
            key = (number, int(which[part.start]))
            state = slices.get(key)
            if state is None or (navigator[part.start] and state.decided):
                state = slices[key] = _Slice()
            if not navigator[part.start]:
                if phase_correction:
                    state.decide(block)
                connection.send(state.correct(block, space))
            elif phase_correction:
                state.add(block, space)


class _Space:
    """Where the samples of an encoding space lie, and on what grid they are wanted."""

    def __init__(self, number: int, encoding: Any):
        self.number = number
        self.encoding = encoding
        self.is_epi = encoding.trajectory.value == "epi"
        self.described: np.ndarray | None = None
        encoded, recon = encoding.encodedSpace, encoding.reconSpace
        pixels = [s.fieldOfView_mm.x / s.matrixSize.x for s in (encoded, recon) if s.matrixSize.x > 0]
        #: Pixels in the encoded field of view, and points of the grid.
        self.width = encoded.fieldOfView_mm.x / max(pixels) if pixels and max(pixels) > 0 else 0.0
        self.n = round(self.width)

    def readouts(self, block: AcquisitionBlock) -> Iterator[_Readouts]:
        """The acquisitions that share direction and places of samples."""
        if self.width <= 0:
            raise ValueError(f"the header gives no field of view and matrix along x for encoding space {self.number}")
        first = block.headers[0]
        samples = block.data.shape[2]
        used = slice(int(first["discard_pre"]), samples - int(first["discard_post"]))
        reverse = block.flagged(ismrmrd.ACQ_IS_REVERSE)
        for direction in (False, True):
            rows = np.flatnonzero(reverse == direction)
            for chosen, places in self._places(block, rows, direction):
                samples, counter = block.data[chosen][..., used], _counter(block, chosen[0])
                yield _Readouts(chosen, direction, samples, places[used].tobytes(), counter)

    def _places(self, block: AcquisitionBlock, rows: np.ndarray, reverse: bool) -> Iterator[tuple[np.ndarray, Any]]:
        """The different places (samples,) in cycles per field of view, and which of `rows` have them."""
        if not len(rows):
            return
        if block.trajectory is None:
            described = self._described(block, rows[0])
            yield rows, -described if reverse else described
            return
        along = np.ascontiguousarray(block.trajectory[rows, :, 0])
        found: dict[bytes, list[int]] = {}
        for row, values in zip(rows.tolist(), along, strict=True):
            found.setdefault(values.tobytes(), []).append(row)
        for values, chosen in found.items():
            yield np.array(chosen), np.frombuffer(values, np.float32).astype(np.float64) * self.width

    def _described(self, block: AcquisitionBlock, row: int) -> np.ndarray:
        """Where the header says that samples lie."""
        samples = block.data.shape[2]
        if self.described is None:
            description = self.encoding.trajectoryDescription
            lists = (description.userParameterLong, description.userParameterDouble) if description else ()
            given = {each.name: float(each.value) for some in lists for each in some}
            if missing := [name for name in _TIMES if name not in given]:
                raise ValueError(
                    f"acquisition {_counter(block, row)} has no trajectory, and the trajectoryDescription of encoding "
                    f"space {self.number} has no {', '.join(missing)}"
                )
            up, flat, down, delay, dwell, n = (given[name] for name in _TIMES)
            times = {"dwell": dwell, "delay": delay, "ramp_up": up, "flat_top": flat, "ramp_down": down}
            try:
                self.described = trapezoid(int(n), width=self.width, **times)
            except ValueError as error:
                raise ValueError(f"trajectoryDescription of encoding space {self.number}: {error}") from None
        if samples != len(self.described):
            raise ValueError(
                f"acquisition {_counter(block, row)} has {samples} samples; the trajectoryDescription of encoding "
                f"space {self.number} has numSamples {len(self.described)}"
            )
        return self.described


class _Readouts(NamedTuple):
    """Acquisitions `rows` of a block, which share direction and places (float64 as bytes) of their samples."""

    rows: np.ndarray
    reverse: bool
    samples: np.ndarray
    places: bytes
    counter: int


class _Slice:
    """The navigators of a slice, what they said, and the matrices that follow from it."""

    def __init__(self) -> None:
        self.navigators: list[np.ndarray] = []
        self.reverse: list[bool] = []
        self.said = OddEven(phase=0.0, shift=0.0)
        self.decided = False
        self.matrices: dict[tuple[bytes, bool], tuple[np.ndarray, slice]] = {}

    def add(self, block: AcquisitionBlock, space: _Space) -> None:
        """Take in navigators, as images along the readout."""
        images = np.empty((len(block), block.data.shape[1], space.n), np.complex64)
        for each in space.readouts(block):
            gridded = _regridded(_regridding(each, 0.0, space.n).matrix(), each.samples)
            images[each.rows] = np.fft.fftshift(np.fft.ifft(np.fft.ifftshift(gridded, -1), norm="ortho"), -1)
        self.navigators.extend(images)
        self.reverse.extend(block.flagged(ismrmrd.ACQ_IS_REVERSE).tolist())

    def decide(self, block: AcquisitionBlock) -> None:
        """Acquisitions are here: what navigators there are now are theirs."""
        if self.decided:
            return
        where = f"slice {block.headers['idx']['slice'][0]}, before acquisition {_counter(block)}"
        if not self.navigators:
            raise ValueError(
                f"{where}: no navigators (ACQ_IS_PHASECORR_DATA). Forward and reverse readouts cannot be brought in "
                "step; phase_correction = false reconstructs without it"
            )
        try:
            self.said = odd_even(np.stack(self.navigators), np.array(self.reverse))
        except ValueError as error:
            raise ValueError(f"{where}: {error}") from None
        self.decided = True
        log.info("%s: forward over reverse, phase %.3f rad, shift %.3f cycles per field of view",
                 where, self.said.phase, self.said.shift)  # fmt: skip

    def correct(self, block: AcquisitionBlock, space: _Space) -> AcquisitionBlock:
        """Acquisitions on the grid, forward and reverse ones in step."""
        made = block.with_data(np.empty((len(block), block.data.shape[1], space.n), np.complex64))
        for each in space.readouts(block):
            matrix, covered = self._matrix(each, space.n)
            made.data[each.rows] = _regridded(matrix, each.samples)
            made.headers["discard_pre"][each.rows] = covered.start
            made.headers["discard_post"][each.rows] = space.n - covered.stop
        made.headers["center_sample"] = space.n // 2
        made.headers["flags"] &= ~_REVERSE_BIT
        return made

    def _matrix(self, readouts: _Readouts, n: int) -> tuple[np.ndarray, slice]:
        """From samples to the grid, in step with the other direction; and the part of the grid that they reach."""
        key = readouts.places, readouts.reverse
        if key not in self.matrices:
            half = 0.5 if readouts.reverse else -0.5
            shift = half * self.said.shift
            lag = round(shift * _LAGS) / _LAGS
            found = _regridding(readouts, lag, n)
            # Shots near half a turn may say +pi or -pi: halves of it would differ by their sign.
            turn = np.complex64(np.exp(1j * self.said.phase)) if readouts.reverse else np.complex64(1)
            self.matrices[key] = turn * found.matrix(shift - lag), found.covered
        return self.matrices[key]


def _regridding(readouts: _Readouts, lag: float, n: int) -> Regridding:
    try:
        return _made(readouts.places, lag, n)
    except ValueError as error:
        raise ValueError(f"acquisition {readouts.counter}: {error}") from None


@lru_cache(maxsize=64)
def _made(places: bytes, lag: float, n: int) -> Regridding:
    """Made once for all slices and repetitions that sample alike."""
    return Regridding(np.frombuffer(places, np.float64), n, lag=lag)


def _regridded(matrix: np.ndarray, data: np.ndarray) -> np.ndarray:
    """matrix (n, samples) times data (acquisition, channel, samples)."""
    return mix(matrix, data.swapaxes(1, 2)).swapaxes(1, 2)


def _counter(block: AcquisitionBlock, row: int = 0) -> int:
    return int(block.headers["scan_counter"][row])
