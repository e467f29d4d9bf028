"""Run a gadget on a list of items, and make small headers and acquisitions to run it on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from xml.sax.saxutils import quoteattr

import ismrmrd
import numpy as np

from gadgets.stream.blocks import AcquisitionBlock
from gadgets.stream.connection import Connection
from gadgets.stream.transport import MemoryTransport


def run(gadget: Callable[..., None], items: Sequence[Any], header: bytes = b"", **properties: Any) -> list[Any]:
    """What `gadget` sends when it is given `items`; properties travel as XML text, as in a pipeline."""
    transport = MemoryTransport(items)
    gadget(Connection(transport, configuration(**properties), header or header_xml()))
    return transport.sent


def configuration(**properties: Any) -> bytes:
    """The configuration element that carries `properties`."""

    def text(value: Any) -> str:
        if isinstance(value, bool):
            return str(value).lower()
        return ",".join(map(str, value)) if isinstance(value, (tuple, list)) else str(value)

    inner = "".join(f"<property name={quoteattr(k)} value={quoteattr(text(v))}/>" for k, v in properties.items())
    return f'<?xml version="1.0"?><configuration>{inner}</configuration>'.encode()


def acquisitions(items: Sequence[Any]) -> list[ismrmrd.Acquisition]:
    """The acquisitions among `items`, blocks opened."""
    found: list[ismrmrd.Acquisition] = []
    for item in items:
        if isinstance(item, AcquisitionBlock):
            found.extend(item)
        elif isinstance(item, ismrmrd.Acquisition):
            found.append(item)
    return found


def acquisition(data: np.ndarray, *, flags: Sequence[int] = (), idx: dict[str, int] | None = None, **head: Any):
    """An acquisition of `data` (channels, samples) with flags (ismrmrd.ACQ_*), counters and header fields set."""
    made = ismrmrd.Acquisition.from_array(np.asarray(data, np.complex64))
    made.center_sample = data.shape[1] // 2
    made.sample_time_us = 5.0
    made.read_dir, made.phase_dir, made.slice_dir = (1, 0, 0), (0, 1, 0), (0, 0, 1)
    for flag in flags:
        made.set_flag(flag)
    for name, value in (idx or {}).items():
        setattr(made.idx, name, value)
    for name, value in head.items():
        setattr(made, name, value)
    return made


def header_xml(
    matrix: tuple[int, int, int] = (16, 16, 1),
    recon: tuple[int, int, int] | None = None,
    *,
    coils: int = 4,
    limits: dict[str, tuple[int, int, int]] | None = None,
    acceleration: int | None = None,
    calibration: str = "embedded",
    trajectory: str = "cartesian",
    bandwidth: float | None = None,
    spaces: int = 1,
    dependency: tuple[str, str] | None = None,
    measurement: str = "test",
    field: float | None = None,
) -> bytes:
    """A small ISMRMRD header. Fields of view: 2 mm per pixel of the reconstructed matrix.

    limits: name -> (minimum, maximum, center), over those that follow from the matrix. field: of the scanner, in tesla.
    """
    recon = recon or matrix
    x, y, z = matrix
    steps = {
        "kspace_encoding_step_0": (0, x - 1, x // 2),
        "kspace_encoding_step_1": (0, y - 1, y // 2),
        "kspace_encoding_step_2": (0, z - 1, z // 2),
        "slice": (0, 0, 0),
    } | (limits or {})
    limit_xml = "".join(
        f"<{name}><minimum>{low}</minimum><maximum>{high}</maximum><center>{center}</center></{name}>"
        for name, (low, high, center) in steps.items()
    )

    def space(name: str, size: tuple[int, int, int]) -> str:
        fov = [2.0 * r * s / r0 for r, s, r0 in zip(recon, size, recon, strict=True)]
        return (
            f"<{name}><matrixSize><x>{size[0]}</x><y>{size[1]}</y><z>{size[2]}</z></matrixSize>"
            f"<fieldOfView_mm><x>{fov[0]}</x><y>{fov[1]}</y><z>{fov[2]}</z></fieldOfView_mm></{name}>"
        )

    parallel = ""
    if acceleration:
        parallel = (
            f"<parallelImaging><accelerationFactor><kspace_encoding_step_1>{acceleration}</kspace_encoding_step_1>"
            "<kspace_encoding_step_2>1</kspace_encoding_step_2></accelerationFactor>"
            f"<calibrationMode>{calibration}</calibrationMode></parallelImaging>"
        )
    encoding = (
        f"<encoding>{space('encodedSpace', matrix)}{space('reconSpace', recon)}"
        f"<encodingLimits>{limit_xml}</encodingLimits><trajectory>{trajectory}</trajectory>{parallel}</encoding>"
    )
    noise = "" if bandwidth is None else f"<relativeReceiverNoiseBandwidth>{bandwidth}</relativeReceiverNoiseBandwidth>"
    tesla = "" if field is None else f"<systemFieldStrength_T>{field}</systemFieldStrength_T>"
    depends = ""
    if dependency:
        depends = (
            f"<measurementDependency><dependencyType>{dependency[0]}</dependencyType>"
            f"<measurementID>{dependency[1]}</measurementID></measurementDependency>"
        )
    return (
        '<?xml version="1.0"?><ismrmrdHeader xmlns="http://www.ismrm.org/ISMRMRD">'
        "<subjectInformation><patientID>nobody</patientID></subjectInformation>"
        f"<measurementInformation><measurementID>{measurement}</measurementID>"
        f"<patientPosition>HFS</patientPosition>{depends}</measurementInformation>"
        f"<acquisitionSystemInformation>{tesla}<receiverChannels>{coils}</receiverChannels>{noise}"
        "</acquisitionSystemInformation>"
        "<experimentalConditions><H1resonanceFrequency_Hz>123000000</H1resonanceFrequency_Hz></experimentalConditions>"
        f"{encoding * spaces}</ismrmrdHeader>"
    ).encode()
