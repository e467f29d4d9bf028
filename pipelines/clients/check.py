"""Says what is in a raw data file, and what would go wrong in reconstructing it."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from gadgets.stream.connection import parse_header
from gadgets.stream.errors import ProtocolError

from .dataset import Dataset, DatasetError
from .pace import TICK_S
from .survey import FLAGS, IMAGE_COUNTERS, Space, Survey

Severity = Literal["info", "warning", "error"]

# Counters of acquisitions and the names of their limits in the header.
_LIMITS = {
    "kspace_encode_step_1": "kspace_encoding_step_1",
    "kspace_encode_step_2": "kspace_encoding_step_2",
    **{name: name for name in (*IMAGE_COUNTERS, "segment")},
}


@dataclass(frozen=True)
class Finding:
    """One line about a file. error: reconstruction fails or is wrong; warning: it may be; info: what there is."""

    severity: Severity
    text: str

    def __str__(self) -> str:
        return self.text if self.severity == "info" else f"{self.severity}: {self.text}"


def check(path: str | os.PathLike[str], group: str = "dataset") -> list[Finding]:
    """Findings about a file, which is read through once, in blocks. A file that cannot be read is a finding too."""
    try:
        dataset = Dataset(path, group)
    except DatasetError as error:
        return [Finding("error", str(error))]
    survey, problems = Survey(), []
    with dataset:
        try:
            for item in dataset.items():
                survey.add(item)
        except DatasetError as error:
            problems.append(Finding("error", str(error)))
        return [*problems, *examine(dataset.header, survey)]


def examine(header: bytes, survey: Survey) -> list[Finding]:
    """Findings about a scan: what there is, then what is wrong with it."""
    findings = list(_contents(survey))
    try:
        parsed = parse_header(header)
    except ProtocolError as error:
        return [*findings, *_faults(survey), Finding("error", str(error))]
    for index, encoding in enumerate(parsed.encoding):
        findings += _encoding(index, encoding, survey.spaces.get(index))
    findings += _faults(survey)
    findings += _header(parsed, survey)
    for index, encoding in enumerate(parsed.encoding):
        if (space := survey.spaces.get(index)) is not None:
            findings += _space(f"encoding space {index}", encoding, space, survey)
    return findings


def _contents(survey: Survey) -> Iterator[Finding]:
    yield Finding("info", f"{_count(survey.n, 'acquisition')}, {survey.nbytes / 1e6:.1f} MB")
    for (channels, samples, dimensions), n in survey.shapes.items():
        trajectory = f", trajectory in {dimensions} dimensions" if dimensions else ""
        yield Finding(
            "info", f"{_count(n, 'acquisition')} of {_count(channels, 'coil')} x {samples} samples{trajectory}"
        )
    for channels, n in survey.noise.items():
        yield Finding("info", f"{_count(n, 'noise acquisition')} of {_count(channels, 'coil')}")
    for kind, n in sorted(survey.waveforms.items()):
        yield Finding("info", f"{_count(n, 'waveform')} of kind {kind}")
    if survey.flags:
        named = ", ".join(f"{FLAGS[flag]} ({n})" for flag, n in sorted(survey.flags.items()))
        yield Finding("info", f"flags: {named}")
    if survey.time is not None:
        yield Finding("info", f"time stamps span {(survey.time[1] - survey.time[0]) * TICK_S:.2f} s")
    if survey.dwell:
        noise = f"; of noise {_numbers(survey.noise_dwell)} us" if survey.noise_dwell else ""
        yield Finding("info", f"sample time {_numbers(survey.dwell)} us{noise}")


def _encoding(index: int, encoding: Any, space: Space | None) -> Iterator[Finding]:
    def size(part: Any) -> str:
        matrix, fov = part.matrixSize, part.fieldOfView_mm
        return f"{matrix.x} x {matrix.y} x {matrix.z} over {fov.x:g} x {fov.y:g} x {fov.z:g} mm"

    name = f"encoding space {index}"
    yield Finding(
        "info",
        f"{name}: encoded {size(encoding.encodedSpace)}, reconstructed {size(encoding.reconSpace)}, "
        f"{encoding.trajectory.value}",
    )
    if space is None:
        yield Finding("warning", f"{name}: no acquisitions belong to it")
        return
    ranges = ", ".join(f"{key} {low} to {high}" for key, (low, high) in space.limits.items() if high)
    if ranges:
        yield Finding("info", f"{name}: {ranges}")
    limit, y = encoding.encodingLimits.kspace_encoding_step_1, encoding.encodedSpace.matrixSize.y
    if limit is not None and limit.maximum - limit.minimum + 1 != y:
        lines = limit.maximum - limit.minimum + 1
        yield Finding("info", f"{name}: {lines} of {y} lines along y are encoded, the center is line {limit.center}")


def _faults(survey: Survey) -> Iterator[Finding]:
    faults: tuple[tuple[Severity, Any, str], ...] = (
        ("error", survey.not_finite, "NaN or infinite data"),
        ("error", survey.compressed, "compressed data, which cannot be read"),
        ("error", survey.other_channels, f"other numbers of channels than {survey.channels}"),
        ("warning", survey.all_zero, "data that are all zero"),
        ("warning", survey.bad_center, "center_sample beyond the samples (left as it was before they were cropped?)"),
        ("warning", survey.no_direction, "a direction of length zero: the images will have no geometry"),
    )
    for severity, fault, what in faults:
        if fault.n:
            yield Finding(severity, f"{what}: {fault}")
    if survey.n and not survey.spaces:
        yield Finding("error", "no acquisition is part of an image")
    for channels in survey.noise:
        if survey.channels is not None and channels != survey.channels:
            yield Finding("warning", f"noise of {channels} channels does not fit data of {survey.channels}")
    if survey.noise and any(dwell <= 0 for dwell in survey.dwell | survey.noise_dwell):
        yield Finding("warning", "sample time of 0: noise cannot be scaled by it")
    if survey.n > 1 and survey.time is not None and survey.time[0] == survey.time[1]:
        yield Finding("warning", "all time stamps are equal: the scan cannot be sent at the scanner's pace")


def _header(parsed: Any, survey: Survey) -> Iterator[Finding]:
    system = parsed.acquisitionSystemInformation
    if system is None:
        yield Finding(
            "warning", "the header has no acquisitionSystemInformation, without which Gadgetron's own GRAPPA fails"
        )
    else:
        said = system.receiverChannels
        if said is not None and survey.channels is not None and said != survey.channels:
            yield Finding("warning", f"the header says {said} receiver channels, the data have {survey.channels}")
        if survey.noise and system.relativeReceiverNoiseBandwidth is None:
            yield Finding("warning", "the header has no relativeReceiverNoiseBandwidth: the noise scale is a guess")
    if not parsed.encoding:
        yield Finding("error", "the header has no encoding")
    for index in sorted(survey.spaces):
        if index >= len(parsed.encoding):
            yield Finding(
                "error", f"acquisitions belong to encoding space {index}; the header has {len(parsed.encoding)}"
            )


def _space(name: str, encoding: Any, space: Space, survey: Survey) -> Iterator[Finding]:
    cartesian = encoding.trajectory.value == "cartesian"
    if not cartesian and not any(dimensions for _, _, dimensions in survey.shapes):
        yield Finding("warning", f"{name}: {encoding.trajectory.value}, but no acquisition has a trajectory")
    limits = encoding.encodingLimits
    for counter, limit_name in _LIMITS.items():
        limit, (low, high) = getattr(limits, limit_name), space.limits[counter]
        if limit is None:
            if high:
                yield Finding("warning", f"{name}: {counter} reaches {high}, but the header has no limits for it")
        elif low < limit.minimum or high > limit.maximum:
            # Lines beyond the limits have no place in k-space; the other counters only number the images.
            severity: Severity = "error" if counter.startswith("kspace") else "warning"
            said = f"{limit.minimum} to {limit.maximum}"
            yield Finding(severity, f"{name}: {counter} is {low} to {high}, outside the header's {said}")
    if cartesian:
        if limits.kspace_encoding_step_1 is None:
            yield Finding("warning", f"{name}: the header has no limits for lines, so their center is not known")
        yield from _lines(name, encoding, space)
    counts = Counter(space.images.values())
    if len(counts) > 1:
        usual = counts.most_common(1)[0][0]
        image, n = next((image, n) for image, n in sorted(space.images.items()) if n != usual)
        where = dict(zip(IMAGE_COUNTERS, image, strict=True))
        told = ", ".join(f"{key} {value}" for key, value in where.items() if value) or "the first image"
        yield Finding("warning", f"{name}: images of {usual} acquisitions, but {told} has {n}")


def _lines(name: str, encoding: Any, space: Space) -> Iterator[Finding]:
    """Acceleration and missing lines, along y and along z."""
    parallel = encoding.parallelImaging
    factors = parallel.accelerationFactor if parallel is not None else None
    for axis, counter, limit_name in ((1, "y", "kspace_encoding_step_1"), (0, "z", "kspace_encoding_step_2")):
        seen = sorted({line[axis] for line in space.lines})
        calibration = sorted({line[axis] for line in space.calibration})
        if len(seen) < 2:
            continue
        said = int(getattr(factors, limit_name)) if factors is not None else 1
        steps = Counter(np.diff(seen).tolist())
        found = steps.most_common(1)[0][0]
        if found > 1 or said > 1:
            reference = f", {len(calibration)} calibration lines ({_ranges(calibration)})" if calibration else ""
            yield Finding("info", f"{name}: along {counter} every {_ordinal(found)} line{reference}")
        if found != said:
            yield Finding("warning", f"{name}: acceleration {found} along {counter}, the header says {said}")
        if said > 1 and not calibration:
            yield Finding("warning", f"{name}: accelerated along {counter} without calibration lines")
        limit = getattr(encoding.encodingLimits, limit_name)
        first, last = (limit.minimum, limit.maximum) if limit is not None else (seen[0], seen[-1])
        measured = {*seen, *calibration}
        missing = [k for k in range(seen[0], last + 1, found) if k not in measured]
        missing += [k for k in range(seen[0] - found, first - 1, -found)]
        if missing:
            yield Finding("warning", f"{name}: lines missing along {counter}: {_ranges(sorted(missing))}")


def _count(n: int, what: str) -> str:
    return f"{n} {what}" if n == 1 else f"{n} {what}s"


def _numbers(values: Iterable[float]) -> str:
    return ", ".join(f"{value:g}" for value in sorted(values))


def _ordinal(n: int) -> str:
    return {1: "single", 2: "second", 3: "third"}.get(n, f"{n}th")


def _ranges(values: list[int], most: int = 5) -> str:
    """Numbers for people: `3, 7 to 12, 20`, cut after a few ranges."""
    runs: list[list[int]] = []
    for value in values:
        if runs and value == runs[-1][-1] + 1:
            runs[-1][1:] = [value]
        else:
            runs.append([value])
    texts = [" to ".join(map(str, run)) for run in runs]
    return ", ".join(texts[:most]) + (f" and {len(texts) - most} more" if len(texts) > most else "")
