"""The ISMRMRD header of a simulated scan. The acquisitions themselves are made by a gadget that reads this header."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

NAMESPACE = "http://www.ismrm.org/ISMRMRD"
_LARGEST = 65535  # what counters and sizes in ISMRMRD headers hold

Tree: TypeAlias = "str | float | Sequence[tuple[str, Tree]]"


@dataclass(frozen=True, kw_only=True)
class Scan:
    """A Cartesian scan, two- or three-dimensional.

    matrix: reconstructed points along x (read), y and z; z above 1 is a three-dimensional scan.
    oversampling: along x. coils, slices (two-dimensional scans only), repetitions, contrasts, phases (of a heart that
    beats): how many of each.
    acceleration: every n-th line is measured, along y and along z. acs: fully sampled lines in the middle.
    partial_fourier: the measured fraction of the lines along y, their beginning missing.
    fov: field of view along x and y in mm; thickness: of a slice, or of a partition along z, in mm.

    Raises ValueError naming the parameter and its range.
    """

    matrix: tuple[int, int, int] = (256, 256, 1)
    oversampling: float = 2.0
    coils: int = 8
    slices: int = 1
    repetitions: int = 1
    contrasts: int = 1
    phases: int = 1
    acceleration: tuple[int, int] = (1, 1)
    acs: int = 24
    partial_fourier: float = 1.0
    fov: tuple[float, float] = (256.0, 256.0)
    thickness: float = 5.0
    measurement_id: str = "simulated"

    def __post_init__(self) -> None:
        x, y, z = self.matrix
        for name, size in zip("xyz", self.matrix, strict=True):
            _within(f"matrix {name}", size, 1, 4096)
        _within("oversampling", self.oversampling, 1, 16)
        if x * self.oversampling % 1:
            raise ValueError(f"oversampling {self.oversampling:g} x {x} points is not a whole number of samples")
        _within("coils", self.coils, 1, 1024)
        for name in ("slices", "repetitions", "contrasts", "phases"):
            _within(name, getattr(self, name), 1, _LARGEST)
        if z > 1 and self.slices > 1:
            raise ValueError(f"slices must be 1 in a three-dimensional scan (matrix z {z}), not {self.slices}")
        _within("acceleration along y", self.acceleration[0], 1, y)
        _within("acceleration along z", self.acceleration[1], 1, z)
        _within("acs", self.acs, 0, y)
        _within("partial_fourier", self.partial_fourier, 0.5, 1)
        for name, length in (("fov x", self.fov[0]), ("fov y", self.fov[1]), ("thickness", self.thickness)):
            _within(name, length, 0.1, 10000)
        if not self.measurement_id:
            raise ValueError("measurement_id must not be empty")

    @property
    def lines(self) -> int:
        """Lines along y that partial Fourier leaves; the middle of k-space is always among them."""
        y = self.matrix[1]
        return min(y, max(round(self.partial_fourier * y), y - y // 2 + 1))

    @property
    def samples(self) -> int:
        """Samples of one acquisition."""
        return round(self.matrix[0] * self.oversampling)


def header_xml(scan: Scan) -> bytes:
    """The scan as an ISMRMRD header.

    Lines along y and z are counted from 0 at the first one measured; `center` in the encoding limits is the index of
    the middle of k-space, so that an acquisition's place is its index minus `center`.
    """
    x, y, z = scan.matrix
    missing = y - scan.lines
    limits = [
        ("kspace_encoding_step_0", _limit(scan.samples, scan.samples // 2)),
        ("kspace_encoding_step_1", _limit(scan.lines, y // 2 - missing)),
        ("kspace_encoding_step_2", _limit(z, z // 2)),
        ("slice", _limit(scan.slices)),
        ("contrast", _limit(scan.contrasts)),
        ("phase", _limit(scan.phases)),
        ("repetition", _limit(scan.repetitions)),
    ]
    encoding: list[tuple[str, Tree]] = [
        ("encodedSpace", _space((scan.samples, y, z), (scan.fov[0] * scan.samples / x, scan.fov[1]), scan)),
        ("reconSpace", _space(scan.matrix, scan.fov, scan)),
        ("encodingLimits", limits),
        ("trajectory", "cartesian"),
    ]
    user: list[tuple[str, Tree]] = []
    if scan.acceleration != (1, 1):
        steps = [(f"kspace_encoding_step_{i}", factor) for i, factor in enumerate(scan.acceleration, 1)]
        mode = "embedded" if scan.acs else "other"
        encoding.append(("parallelImaging", [("accelerationFactor", steps), ("calibrationMode", mode)]))
        user.append(_user_long("EmbeddedRefLinesE1", scan.acs))
        if scan.acceleration[1] > 1:
            user.append(_user_long("EmbeddedRefLinesE2", min(scan.acs, z)))
    header: list[tuple[str, Tree]] = [
        ("subjectInformation", [("patientName", "Phantom"), ("patientID", "phantom")]),
        ("studyInformation", [("studyID", "simulation")]),
        (
            "measurementInformation",
            [
                ("measurementID", scan.measurement_id),
                ("patientPosition", "HFS"),
                ("protocolName", "simulation"),
            ],
        ),
        (
            "acquisitionSystemInformation",
            [
                ("systemVendor", "Deep Gadgets"),
                ("systemModel", "analytic phantom"),
                ("systemFieldStrength_T", 3),
                ("relativeReceiverNoiseBandwidth", 1),
                ("receiverChannels", scan.coils),
            ],
        ),
        ("experimentalConditions", [("H1resonanceFrequency_Hz", 127740000)]),
        ("encoding", encoding),
        (
            "sequenceParameters",
            [("TR", 10.0), *(("TE", 4.0 * (i + 1)) for i in range(scan.contrasts)), ("flipAngle_deg", 10.0)],
        ),
    ]
    if user:
        header.append(("userParameters", user))
    root = ET.Element("ismrmrdHeader", {"xmlns": NAMESPACE})
    _build(root, header)
    ET.indent(root)
    document: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return document


def _within(name: str, value: float, lowest: float, highest: float) -> None:
    if not lowest <= value <= highest:
        raise ValueError(f"{name} must be from {lowest:g} to {highest:g}, not {value:g}")


def _limit(n: int, center: int = 0) -> Tree:
    return [("minimum", 0), ("maximum", n - 1), ("center", center)]


def _space(matrix: Sequence[int], fov: Sequence[float], scan: Scan) -> Tree:
    sizes = (*fov, scan.thickness * scan.matrix[2])
    return [
        ("matrixSize", list(zip("xyz", matrix, strict=True))),
        ("fieldOfView_mm", list(zip("xyz", sizes, strict=True))),
    ]


def _user_long(name: str, value: int) -> tuple[str, Tree]:
    return "userParameterLong", [("name", name), ("value", value)]


def _build(parent: ET.Element, content: Tree) -> None:
    if isinstance(content, (str, int, float)):
        parent.text = str(content)
        return
    for name, inner in content:
        _build(ET.SubElement(parent, name), inner)
