"""A Cartesian scan of the analytic phantom, in place of a scanner."""

from __future__ import annotations

import functools
import zlib
from collections.abc import Iterator
from typing import Any

import ismrmrd
import numpy as np

from gadgets.mri.channels import mix
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
    connection: Connection, *, noise: float = 0.01, seed: int = 0, noise_scan: bool = True, truth: bool = False
) -> None:
    """The scan that the header describes, of the head of Shepp and Logan. nothing -> acquisitions, images.

    The header gives the matrices and fields of view (the readout may be oversampled), receiverChannels, the number of
    slices, contrasts and repetitions and the lines that partial Fourier leaves (encodingLimits), the acceleration, and
    the calibration lines around the centre (userParameterLong EmbeddedRefLinesE1, EmbeddedRefLinesE2). The loops are
    repetition, contrast, slice, E2, E1 from the outermost; one acquisition takes TR. Samples come from the closed form
    of the phantom's k-space, seen by coils around it, scaled so that the orthonormal inverse FFT has the phantom's
    intensities. Slices are side by side, echoes fade with 40 ms. What comes in is sent on first.

    noise: standard deviation of the real and of the imaginary part, over the largest value of the true images; it is
    correlated between coils, and coils differ. seed: of the noise. noise_scan: begin with a noise acquisition, of half
    the dwell time (there is none with noise 0). truth: end with the true images of the slices, float32: the phantom
    times the root sum of squares of the sensitivities, first echo.

    Raises ValueError for a header whose encoding is not one Cartesian space, or whose matrices and fields of view do
    not agree along y and z.
    """
    for item in connection.blocks():
        connection.send(item)
    scan = _Scan(connection.header)
    images = [scan.true_image(s) for s in range(scan.slices)]
    noises = _Noise(scan, noise * max(float(image.max()) for image in images), seed)
    noise_scan = noise_scan and noise > 0
    if noise_scan:
        connection.send(noises.scan())
    for block in scan.acquisitions(first=int(noise_scan)):
        if noise > 0:
            noises.add_to(block)
        connection.send(block)
    for s, image in enumerate(images if truth else ()):
        connection.send(scan.image_item(image, s))


class _Scan:
    """What the header describes. Sizes are in the order x, y, z."""

    def __init__(self, header: Any):
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
        self.slices, self.contrasts, self.repetitions = (
            limit.maximum + 1 if limit else 1 for limit in (limits.slice, limits.contrast, limits.repetition)
        )
        self.coils = getattr(system, "receiverChannels", None) or 1
        self.bandwidth = getattr(system, "relativeReceiverNoiseBandwidth", None) or 0.793
        sequence = header.sequenceParameters
        self.repetition_ms = sequence.TR[0] if sequence and sequence.TR else 10.0
        self.echoes_ms = (sequence.TE if sequence else []) or [0.0]
        identity = getattr(header.measurementInformation, "measurementID", None) or ""
        self.uid = zlib.crc32(identity.encode())
        self.index, self.place, self.flags = _lines(encoding, self.matrix, _embedded(header))
        per_slice = 8 * self.coils * self.samples * self.matrix[1] * self.matrix[2]
        self.kspace = functools.lru_cache(maxsize=max(1, _CACHE_BYTES // per_slice))(self._kspace)

    def _kspace(self, s: int) -> np.ndarray:
        """Lines (line, coil, sample) of slice s, first echo, without noise."""
        full = cartesian(
            self.matrix, coils=self.coils, oversampling=self.samples / self.matrix[0], slice_index=self._plane(s)
        )
        return np.ascontiguousarray(np.moveaxis(full[:, self.place[:, 1], self.place[:, 0]], 0, 1))

    def _plane(self, s: int) -> int:
        return s - self.slices // 2

    def _position(self, s: int) -> tuple[float, float, float]:
        """Centre of slice s in mm: slices lie side by side."""
        return (0.0, 0.0, (s - (self.slices - 1) / 2) * self.fov[2])

    def acquisitions(self, first: int) -> Iterator[AcquisitionBlock]:
        """The image data in the order of the scan, counted from `first`."""
        step = max(1, _BLOCK_BYTES // (8 * self.coils * self.samples))
        loops = list(np.ndindex(self.repetitions, self.contrasts, self.slices))
        for loop in loops:
            repetition, contrast, s = loop
            echo = self.echoes_ms[min(contrast, len(self.echoes_ms) - 1)]
            fading = np.float32(np.exp(-(echo - self.echoes_ms[0]) / _DECAY_MS))
            headers = self._headers(repetition, contrast, s, first, loop == loops[-1])
            first += len(headers)
            for start in range(0, len(headers), step):
                part = slice(start, start + step)
                yield AcquisitionBlock(headers[part], self.kspace(s)[part] * fading)

    def _headers(self, repetition: int, contrast: int, s: int, first: int, last: bool) -> np.ndarray:
        headers = self.blank(len(self.index))
        headers["idx"]["kspace_encode_step_1"], headers["idx"]["kspace_encode_step_2"] = self.index.T
        headers["idx"]["slice"], headers["idx"]["contrast"], headers["idx"]["repetition"] = s, contrast, repetition
        headers["scan_counter"] = first + np.arange(len(headers))
        headers["acquisition_time_stamp"] = headers["scan_counter"] * (self.repetition_ms / _TICK_MS)
        headers["position"] = self._position(s)
        headers["flags"] = self.flags
        begins = [ismrmrd.ACQ_FIRST_IN_SLICE]
        ends = [ismrmrd.ACQ_LAST_IN_SLICE]
        if s == 0:
            begins.append(ismrmrd.ACQ_FIRST_IN_CONTRAST)
            begins += [ismrmrd.ACQ_FIRST_IN_REPETITION] * (contrast == 0)
        if s == self.slices - 1:
            ends.append(ismrmrd.ACQ_LAST_IN_CONTRAST)
            ends += [ismrmrd.ACQ_LAST_IN_REPETITION] * (contrast == self.contrasts - 1)
        headers["flags"][0] |= _bits(*begins)
        headers["flags"][-1] |= _bits(*ends, *[ismrmrd.ACQ_LAST_IN_MEASUREMENT] * last)
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

    def true_image(self, s: int) -> np.ndarray:
        """Magnitude (z, y, x) of slice s, first echo."""
        sensitivities = np.sqrt((np.abs(coil_maps(self.matrix, coils=self.coils)) ** 2).sum(axis=0))
        image: np.ndarray = np.abs(phantom_image(self.matrix, slice_index=self._plane(s))) * sensitivities
        return image.astype(np.float32)

    def image_item(self, pixels: np.ndarray, s: int) -> ismrmrd.Image:
        image = ismrmrd.Image.from_array(pixels[None], transpose=False)
        head = image.getHead()
        head.measurement_uid = self.uid
        head.field_of_view[:] = self.fov
        head.position[:] = self._position(s)
        head.read_dir[:], head.phase_dir[:], head.slice_dir[:] = (1, 0, 0), (0, 1, 0), (0, 0, 1)
        head.slice, head.image_index, head.image_type = s, s + 1, ismrmrd.IMTYPE_MAGNITUDE
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


def _lines(
    encoding: Any, matrix: tuple[int, int, int], embedded: tuple[int, int | None]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The lines of an image in order, E1 running fastest: index (n, 2) and place on the grid (n, 2), each (e1, e2),
    and flags (n,)."""
    parallel = encoding.parallelImaging
    places, shifts, lattice, central = [], [], [], []
    for i, acs in zip((1, 2), embedded, strict=True):
        name, size = f"kspace_encoding_step_{i}", matrix[i]
        limit = getattr(encoding.encodingLimits, name)
        shift = size // 2 - limit.center if limit else 0
        place = np.arange(limit.minimum + shift, limit.maximum + 1 + shift) if limit else np.arange(size)
        if place[0] < 0 or place[-1] >= size:
            raise ValueError(f"simulate: the encodingLimits of {name} do not fit the matrix of {size}")
        acceleration = max(getattr(parallel.accelerationFactor, name), 1) if parallel else 1
        first = size // 2 - acs // 2 if acs is not None else 0
        places.append(place)
        shifts.append(shift)
        lattice.append((place - size // 2) % acceleration == 0)
        central.append((place >= first) & (place < first + acs) if acs is not None else np.ones(len(place), bool))
    on_lattice = np.logical_and.outer(lattice[1], lattice[0])
    calibration = np.logical_and.outer(central[1], central[0]) & (parallel is not None)
    e2, e1 = np.nonzero(on_lattice | calibration)
    chosen = calibration[e2, e1]
    flags = np.where(chosen & on_lattice[e2, e1], _bits(ismrmrd.ACQ_IS_PARALLEL_CALIBRATION_AND_IMAGING), np.uint64(0))
    flags[chosen & ~on_lattice[e2, e1]] = _bits(ismrmrd.ACQ_IS_PARALLEL_CALIBRATION)
    flags[np.flatnonzero(np.diff(e2, prepend=-1))] |= _bits(ismrmrd.ACQ_FIRST_IN_ENCODE_STEP1)
    flags[np.flatnonzero(np.diff(e2, append=-1))] |= _bits(ismrmrd.ACQ_LAST_IN_ENCODE_STEP1)
    flags[0] |= _bits(ismrmrd.ACQ_FIRST_IN_ENCODE_STEP2)
    flags[-1] |= _bits(ismrmrd.ACQ_LAST_IN_ENCODE_STEP2)
    place = np.stack([places[0][e1], places[1][e2]], axis=1)
    return place - np.array(shifts), place, flags


def _bits(*flags: int) -> np.uint64:
    return np.uint64(sum(1 << (flag - 1) for flag in set(flags)))
