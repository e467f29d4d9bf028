"""A scan of random numbers that is reconstructed within milliseconds, and its image."""

from __future__ import annotations

from dataclasses import dataclass

import ismrmrd
import numpy as np

from gadgets.stream.control import Close, Filename, Header
from tests.support.streams import acquisition, header_xml


@dataclass(frozen=True)
class SmallScan:
    """Lines along y of one slice or more, fully sampled. image: root sum of squares, (slice, y, x)."""

    header: bytes
    lines: list[ismrmrd.Acquisition]
    image: np.ndarray

    def session(self, name: str = "default") -> list:
        """All that a client sends for it."""
        return [Filename(name), Header(self.header), *self.lines, Close()]


def small_scan(size: int = 16, coils: int = 4, slices: int = 1, seed: int = 0) -> SmallScan:
    """Random k-space of `size` x `size` points."""
    random = np.random.default_rng(seed)
    kspace = random.normal(size=(slices, coils, size, size, 2)).astype(np.float32).view(np.complex64)[..., 0]
    lines = []
    for s in range(slices):
        for y in range(size):
            flags = [ismrmrd.ACQ_FIRST_IN_SLICE] * (y == 0) + [ismrmrd.ACQ_LAST_IN_SLICE] * (y == size - 1)
            flags += [ismrmrd.ACQ_LAST_IN_REPETITION] * (y == size - 1 and s == slices - 1)
            place = {"kspace_encode_step_1": y, "slice": s}
            counter = s * size + y
            lines.append(acquisition(kspace[s, :, y], flags=flags, idx=place, scan_counter=counter))
    axes = (2, 3)
    coil_images = np.fft.fftshift(np.fft.ifft2(np.fft.ifftshift(kspace, axes), axes=axes, norm="ortho"), axes)
    header = header_xml((size, size, 1), coils=coils, limits={"slice": (0, slices - 1, 0)})
    return SmallScan(header, lines, np.sqrt((abs(coil_images) ** 2).sum(1)))
