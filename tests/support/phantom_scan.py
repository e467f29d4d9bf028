"""A scan of the phantom as a client sends it, with a calibration region, for methods that need maps."""

from __future__ import annotations

from dataclasses import dataclass

import ismrmrd

from gadgets.mri.phantom.scan import cartesian
from gadgets.stream.control import Close, Filename, Header
from tests.support.streams import acquisition, header_xml


@dataclass(frozen=True)
class PhantomScan:
    """Lines along y of each slice, every other one and those at the centre."""

    header: bytes
    lines: list[ismrmrd.Acquisition]

    def session(self, name: str) -> list:
        """All that a client sends for it."""
        return [Filename(name), Header(self.header), *self.lines, Close()]


def phantom_scan(size: int = 32, coils: int = 6, slices: int = 1, **header) -> PhantomScan:
    """Of `size` x `size` points; further arguments are those of `header_xml`."""
    lines = []
    wanted = [y for y in range(size) if y % 2 == 0 or abs(y - size // 2) < 8]
    for s in range(slices):
        kspace = cartesian((size, size, 1), coils=coils, slice_index=s)[:, 0]
        for y in wanted:
            flags = [ismrmrd.ACQ_LAST_IN_SLICE] * (y == wanted[-1])
            flags += [ismrmrd.ACQ_LAST_IN_REPETITION] * (y == wanted[-1] and s == slices - 1)
            place = {"kspace_encode_step_1": y, "slice": s}
            lines.append(acquisition(kspace[:, y], flags=flags, idx=place, scan_counter=len(lines)))
    limits = {"slice": (0, slices - 1, 0)}
    return PhantomScan(header_xml((size, size, 1), coils=coils, limits=limits, **header), lines)
