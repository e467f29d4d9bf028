"""A Cartesian scan of the analytic phantom, in place of a scanner."""

from __future__ import annotations

import functools
import zlib
from collections.abc import Iterator
from typing import Any

import ismrmrd
import numpy as np

from gadgets.mri.channels import mix
from gadgets.mri.phantom.chest import chest
from gadgets.mri.phantom.ellipsoids import Ellipsoid, shepp_logan
from gadgets.mri.phantom.sampling import random_lines
from gadgets.mri.phantom.scan import cartesian, coil_maps
from gadgets.mri.phantom.scan import truth as phantom_image
from gadgets.properties import gadget
from gadgets.stream.blocks import AcquisitionBlock
from gadgets.stream.connection import Connection
from gadgets.stream.dtypes import ACQUISITION_HEADER

# Dwell times in microseconds; the noise scan has another one than the data, as on scanners.
_DWELL, _NOISE_DWELL = 5.0, 2.5
_NOISE_SAMPLES = 16384
_TICK_MS = 2.5
# How the signal fades from one echo to the next, in ms, and how alike the noise of neighbouring coils is.
_DECAY_MS = 40.0
_CORRELATION = 0.3
_BLOCK_BYTES = 4 << 20
_CACHE_BYTES = 1 << 30


@gadget
def simulate(
    connection: Connection,
    *,
    noise: float = 0.01,
    seed: int = 0,
    noise_scan: bool = True,
    truth: bool = False,
    random: bool = False,
) -> None:
    """The scan that the header describes, of the head of Shepp and Logan or, where it has several phases, of a chest
    whose heart beats once in all of them. nothing -> acquisitions, images.

    The header gives the matrices and fields of view (the readout may be oversampled), receiverChannels, the number of
    slices, contrasts, phases and repetitions and the lines that partial Fourier leaves (encodingLimits), the
    acceleration, and the calibration lines around the centre (userParameterLong EmbeddedRefLinesE1,
    EmbeddedRefLinesE2). The loops are repetition, contrast, phase, slice, E2, E1 from the outermost; one acquisition
    takes TR. Samples come from the closed form of the phantom's k-space, seen by coils around it, scaled so that the
    orthonormal inverse FFT has the phantom's intensities. Slices are side by side, echoes fade with 40 ms. What comes
    in is sent on first.

    noise: standard deviation of the real and of the imaginary part, over the largest value of the true images; it is
    correlated between coils, and coils differ. seed: of the noise. noise_scan: begin with a noise acquisition, of half
    the dwell time (there is none with noise 0). truth: end with the true images of the slices and phases, float32: the
    phantom times the root sum of squares of the sensitivities, first echo. random: beside the calibration lines, each
    image has as many lines as the acceleration leaves, at random, denser in the centre, and other ones each time.

    Raises ValueError for a header whose encoding is not one Cartesian space, or whose matrices and fields of view do
    not agree along y and z.
    """
    for item in connection.blocks():
        connection.send(item)
    scan = _Scan(connection.header, np.random.default_rng((seed, 1)) if random else None)
    images = {(phase, s): scan.true_image(phase, s) for phase, s in np.ndindex(scan.phases, scan.slices)}
    noises = _Noise(scan, noise * max(float(image.max()) for image in images.values()), seed)
    noise_scan = noise_scan and noise > 0
    if noise_scan:
        connection.send(noises.scan())
    for block in scan.acquisitions(first=int(noise_scan)):
        if noise > 0:
            noises.add_to(block)
        connection.send(block)
    for number, ((phase, s), image) in enumerate(images.items() if truth else ()):
        connection.send(scan.image_item(image, phase, s, number + 1))


class _Scan:
    """What the header describes. Sizes are in the order x, y, z."""

    def __init__(self, header: Any, random: np.random.Generator | None):
        """random: says which lines each image has; None for those of the lattice."""
        if len(header.encoding) != 1 or header.encoding[0].trajectory.value != "cartesian":
            raise ValueError("simulate: the header must have one encoding space, cartesian")
        encoding = header.encoding[0]
        encoded, recon = encoding.encodedSpace, encoding.reconSpace
        self.matrix = (recon.matrixSize.x, recon.matrixSize.y, max(recon.matrixSize.z, 1))
        self.samples = encoded.matrixSize.x
        self.fov = (recon.fieldOfView_mm.x, recon.fieldOfView_mm.y, recon.fieldOfView_mm.z)
        for axis in "yz":
            sizes = [getattr(space.matrixSize, axis) for space in (encoded, recon)]
            lengths = [getattr(space.fieldOfView_mm, axis) for space in (encoded, recon)]
            if sizes[0] != sizes[1] or not np.isclose(*lengths):
                raise ValueError(
                    f"simulate: along {axis}, the encoded space is {sizes[0]} points of {lengths[0]:g} mm "
                    f"and the reconstructed one {sizes[1]} of {lengths[1]:g} mm; they must agree"
                )
        if not np.isclose(self.samples * self.fov[0], encoded.fieldOfView_mm.x * self.matrix[0]):
            raise ValueError("simulate: along x, the encoded and the reconstructed space must have the same resolution")
        limits, system = encoding.encodingLimits, header.acquisitionSystemInformation
        self.slices, self.contrasts, self.phases, self.repetitions = (
            limit.maximum + 1 if limit else 1
            for limit in (limits.slice, limits.contrast, limits.phase, limits.repetition)
        )
        self.coils = getattr(system, "receiverChannels", None) or 1
        self.bandwidth = getattr(system, "relativeReceiverNoiseBandwidth", None) or 0.793
        sequence = header.sequenceParameters
        self.repetition_ms = sequence.TR[0] if sequence and sequence.TR else 10.0
        self.echoes_ms = (sequence.TE if sequence else []) or [0.0]
        identity = getattr(header.measurementInformation, "measurementID", None) or ""
        self.uid = zlib.crc32(identity.encode())
        self.lines, self.random = _Lines(encoding, self.matrix, _embedded(header)), random
        per_slice = 8 * self.coils * self.samples * self.matrix[1] * self.matrix[2]
        self.kspace = functools.lru_cache(maxsize=max(1, _CACHE_BYTES // per_slice))(self._kspace)

    def _kspace(self, phase: int, s: int) -> np.ndarray:
        """All lines (e2, e1, coil, sample) of slice s, first echo, without noise."""
        oversampling = self.samples / self.matrix[0]
        full = cartesian(
            self.matrix,
            coils=self.coils,
            oversampling=oversampling,
            slice_index=self._plane(s),
            bodies=self._bodies(phase),
        )
        return np.ascontiguousarray(np.moveaxis(full, 0, 2))

    def _bodies(self, phase: int) -> tuple[Ellipsoid, ...]:
        return chest(phase / self.phases) if self.phases > 1 else shepp_logan()

    def _plane(self, s: int) -> int:
        return s - self.slices // 2

    def _position(self, s: int) -> tuple[float, float, float]:
        """Centre of slice s in mm: slices lie side by side."""
        return (0.0, 0.0, (s - (self.slices - 1) / 2) * self.fov[2])

    def acquisitions(self, first: int) -> Iterator[AcquisitionBlock]:
        """The image data in the order of the scan, counted from `first`."""
        step = max(1, _BLOCK_BYTES // (8 * self.coils * self.samples))
        loops = list(np.ndindex(self.repetitions, self.contrasts, self.phases, self.slices))
        for loop in loops:
            _, contrast, phase, s = loop
            echo = self.echoes_ms[min(contrast, len(self.echoes_ms) - 1)]
            fading = np.float32(np.exp(-(echo - self.echoes_ms[0]) / _DECAY_MS))
            index, place, flags = self.lines.of_image(self.random)
            headers = self._headers(loop, index, flags, first, loop == loops[-1])
            first += len(headers)
            for start in range(0, len(headers), step):
                part = slice(start, start + step)
                e1, e2 = place[part].T
                yield AcquisitionBlock(headers[part], self.kspace(phase, s)[e2, e1] * fading)

    def _headers(
        self, loop: tuple[int, ...], index: np.ndarray, flags: np.ndarray, first: int, last: bool
    ) -> np.ndarray:
        headers = self.blank(len(index))
        headers["idx"]["kspace_encode_step_1"], headers["idx"]["kspace_encode_step_2"] = index.T
        names = ("repetition", "contrast", "phase", "slice")
        for name, value in zip(names, loop, strict=True):
            headers["idx"][name] = value
        headers["scan_counter"] = first + np.arange(len(headers))
        headers["acquisition_time_stamp"] = headers["scan_counter"] * (self.repetition_ms / _TICK_MS)
        headers["position"] = self._position(loop[-1])
        headers["flags"] = flags
        sizes = (self.repetitions, self.contrasts, self.phases, self.slices)
        for number, name in enumerate(names):
            # An index begins and ends where all loops inside of it do.
            inner = list(zip(loop, sizes, strict=True))[number + 1 :]
            if all(value == 0 for value, _ in inner):
                headers["flags"][0] |= _bits(getattr(ismrmrd, f"ACQ_FIRST_IN_{name.upper()}"))
            if all(value == size - 1 for value, size in inner):
                headers["flags"][-1] |= _bits(getattr(ismrmrd, f"ACQ_LAST_IN_{name.upper()}"))
        if last:
            headers["flags"][-1] |= _bits(ismrmrd.ACQ_LAST_IN_MEASUREMENT)
        return headers

    def blank(self, n: int) -> np.ndarray:
        """Headers with what is the same in all acquisitions."""
        headers = np.zeros(n, ACQUISITION_HEADER)
        headers["version"] = 1
        headers["measurement_uid"] = self.uid
        headers["number_of_samples"], headers["center_sample"] = self.samples, self.samples // 2
        headers["active_channels"] = headers["available_channels"] = self.coils
        mask = (1 << self.coils) - 1
        headers["channel_mask"] = [(mask >> (64 * word)) & (2**64 - 1) for word in range(16)]
        headers["sample_time_us"] = _DWELL
        headers["read_dir"], headers["phase_dir"], headers["slice_dir"] = (1, 0, 0), (0, 1, 0), (0, 0, 1)
        return headers

    def true_image(self, phase: int, s: int) -> np.ndarray:
        """Magnitude (z, y, x) of slice s, first echo."""
        sensitivities = np.sqrt((np.abs(coil_maps(self.matrix, coils=self.coils)) ** 2).sum(axis=0))
        image: np.ndarray = np.abs(phantom_image(self.matrix, slice_index=self._plane(s), bodies=self._bodies(phase)))
        image *= sensitivities
        return image.astype(np.float32)

    def image_item(self, pixels: np.ndarray, phase: int, s: int, number: int) -> ismrmrd.Image:
        image = ismrmrd.Image.from_array(pixels[None], transpose=False)
        head = image.getHead()
        head.measurement_uid = self.uid
        head.field_of_view[:] = self.fov
        head.position[:] = self._position(s)
        head.read_dir[:], head.phase_dir[:], head.slice_dir[:] = (1, 0, 0), (0, 1, 0), (0, 0, 1)
        head.slice, head.phase, head.image_index, head.image_type = s, phase, number, ismrmrd.IMTYPE_MAGNITUDE
        image.setHead(head)
        return image


class _Noise:
    """Noise of the receivers, correlated between coils."""

    def __init__(self, scan: _Scan, deviation: float, seed: int):
        """deviation: of the real part, over all coils."""
        self.scan_of = scan
        self.random = np.random.default_rng(seed)
        n = np.arange(scan.coils)
        apart = np.abs(n[:, None] - n)
        alike = _CORRELATION ** np.minimum(apart, scan.coils - apart) * np.exp(1j * (n[:, None] - n))
        each = 1 + 0.2 * np.sin(2 * np.pi * n / scan.coils)
        each /= np.sqrt(np.mean(each**2))
        self.mixing = (deviation * each[:, None] * np.linalg.cholesky(alike)).astype(np.complex64)

    def _drawn(self, n: int, samples: int) -> np.ndarray:
        shape = (n, len(self.mixing), samples, 2)
        white: np.ndarray = self.random.standard_normal(shape, np.float32).view(np.complex64)[..., 0]
        return mix(self.mixing, white)

    def add_to(self, block: AcquisitionBlock) -> None:
        block.data += self._drawn(len(block), block.data.shape[2])

    def scan(self) -> AcquisitionBlock:
        """One noise acquisition. Its dwell time is another one: the noise is stronger as its bandwidth is larger."""
        headers = self.scan_of.blank(1)
        headers["number_of_samples"], headers["center_sample"] = _NOISE_SAMPLES, _NOISE_SAMPLES // 2
        headers["sample_time_us"] = _NOISE_DWELL
        headers["flags"] = _bits(ismrmrd.ACQ_IS_NOISE_MEASUREMENT)
        stronger = np.float32(np.sqrt(_DWELL / _NOISE_DWELL * self.scan_of.bandwidth))
        return AcquisitionBlock(headers, stronger * self._drawn(1, _NOISE_SAMPLES))


def _embedded(header: Any) -> tuple[int, int | None]:
    """Calibration lines along E1 and E2; E2 None for all."""
    found = {one.name: int(one.value) for one in getattr(header.userParameters, "userParameterLong", None) or ()}
    return found.get("EmbeddedRefLinesE1", 0), found.get("EmbeddedRefLinesE2")


class _Lines:
    """Which lines an image has, of the places (e2, e1) that partial Fourier leaves."""

    def __init__(self, encoding: Any, matrix: tuple[int, int, int], embedded: tuple[int, int | None]):
        parallel = encoding.parallelImaging
        lattice, central, measured = [], [], []
        self.shifts = []
        for i, acs in zip((1, 2), embedded, strict=True):
            name, size = f"kspace_encoding_step_{i}", matrix[i]
            limit = getattr(encoding.encodingLimits, name)
            shift = size // 2 - limit.center if limit else 0
            low, high = (limit.minimum + shift, limit.maximum + shift) if limit else (0, size - 1)
            if low < 0 or high >= size:
                raise ValueError(f"simulate: the encodingLimits of {name} do not fit the matrix of {size}")
            acceleration = max(getattr(parallel.accelerationFactor, name), 1) if parallel else 1
            place = np.arange(size)
            inside = (place >= low) & (place <= high)
            first = size // 2 - acs // 2 if acs is not None else 0
            self.shifts.append(shift)
            measured.append(inside)
            lattice.append(inside & ((place - size // 2) % acceleration == 0))
            central.append(inside & (place >= first) & (place < first + acs) if acs is not None else inside)
        self.measured, self.lattice = (np.logical_and.outer(each[1], each[0]) for each in (measured, lattice))
        self.calibration = np.logical_and.outer(central[1], central[0]) & (parallel is not None)

    def of_image(self, random: np.random.Generator | None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The lines of one image in order, E1 running fastest: index (n, 2) and place on the grid (n, 2), each
        (e1, e2), and flags (n,)."""
        chosen, imaging = self.lattice | self.calibration, self.lattice
        if random is not None:
            n = int(chosen.sum()) - int(self.calibration.sum())
            chosen = imaging = random_lines(self.calibration, self.measured, n, random)
        e2, e1 = np.nonzero(chosen)
        calibration, both = self.calibration[e2, e1], (self.calibration & imaging)[e2, e1]
        flags = np.where(both, _bits(ismrmrd.ACQ_IS_PARALLEL_CALIBRATION_AND_IMAGING), np.uint64(0))
        flags[calibration & ~both] = _bits(ismrmrd.ACQ_IS_PARALLEL_CALIBRATION)
        flags[np.flatnonzero(np.diff(e2, prepend=-1))] |= _bits(ismrmrd.ACQ_FIRST_IN_ENCODE_STEP1)
        flags[np.flatnonzero(np.diff(e2, append=-1))] |= _bits(ismrmrd.ACQ_LAST_IN_ENCODE_STEP1)
        flags[0] |= _bits(ismrmrd.ACQ_FIRST_IN_ENCODE_STEP2)
        flags[-1] |= _bits(ismrmrd.ACQ_LAST_IN_ENCODE_STEP2)
        place = np.stack([e1, e2], axis=1)
        return place - np.array(self.shifts), place, flags


def _bits(*flags: int) -> np.uint64:
    return np.uint64(sum(1 << (flag - 1) for flag in set(flags)))
