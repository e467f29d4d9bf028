"""What is worth knowing of a scan's reconstruction afterwards, as one JSON file for each scan.

measurement: the scan's ID. began, ended: when (UTC). outcome: `complete`, or what ended the scan before. The settings:
method, fallback, deadline_seconds, device; versions. field_tesla, by the header. model: name and sha256; weights:
reads, how many times this process has read any meanwhile, and read_seconds, both 0 where they were in memory already.
noise_level: standard deviation of the real part of a sample, estimated from the first slice (1 after noise adjustment):
too large where all channels have signal at the ends of k-space.

gadget_seconds: of each gadget, by its name in the pipeline, how long it was at work, neither waiting for input nor for
what it sent to be taken; by the clock, so that gadgets at work at once take from each other. What a job makes behind
the end of the scan does not count. Where each gadget is a process of its own, it is this one only. first_image_seconds:
from the arrival of the first recon data until its images were sent on. first_image_latency_seconds: from the arrival of
the last acquisition that was taken on the way to the first image until that left the pipeline; None where any gadget
is a process of its own.

The file is there, whole, when this gadget has ended; times of the others are put into it when they have, and the client
has all its images.

slices: for each slice, in order, what is said of it in `gadgets.attempts.Made`, with its coils and acceleration, and
the residual of each of its N and S; of what was fitted, iterations: done, and of how many, whether the deadline
stopped it, start: of which slice the fit was that it started from, and remarks: what was found that bears on the
image. failures: where, which method, why, and which one served instead; what nothing could serve for is the outcome.
"""

from __future__ import annotations

import json
import logging
import os
import re
import tempfile
import threading
import time
from datetime import datetime, timezone
from pathlib import Path
from types import TracebackType
from typing import Any

from gadgets.attempts import Guarded, Made, Slice
from gadgets.mri.models.trained import reads
from gadgets.mri.quality.noise_level import noise_level
from gadgets.packages import versions
from gadgets.stream.connection import Connection
from gadgets.stream.errors import describe_error

log = logging.getLogger(__name__)


class QualityRecord:
    """Notes on one scan. As a context: the scan; its file is written whole, or not, when the context ends.

    folder: where to, made if need be; None notes nothing. measurement: the scan's ID. guarded: what reconstructs it;
    connection: of the gadget that does.
    """

    def __init__(self, folder: Path | None, measurement: str, guarded: Guarded, connection: Connection):
        self.folder = folder
        self._measurement = measurement
        self._guarded = guarded
        self._connection = connection
        self._reads = reads()
        self._writing = threading.Lock()
        self._path: Path | None = None
        self._document: dict[str, Any] = {}
        self._began = datetime.now(timezone.utc)
        self._arrival: float | None = None
        self._first: float | None = None
        self._noise: float | None = None
        self._slices: list[dict[str, Any]] = []
        self._failures: list[dict[str, Any]] = []

    def __enter__(self) -> QualityRecord:
        if self.folder is not None:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._connection.times.when_complete(self._complete)
        return self

    def __exit__(self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None) -> None:
        if self.folder is None:
            return
        with self._writing:
            self._document = self._notes("complete" if error is None else describe_error(error))
            self._write(self.folder)

    def _complete(self) -> None:
        """Write it again, with times that are known now; where it is not written yet, it will have them."""
        with self._writing:
            if self.folder is not None and self._path is not None:
                self._write(self.folder)

    def arrived(self) -> None:
        """Recon data have come."""
        self._arrival = self._arrival or time.monotonic()

    def sent(self) -> None:
        """Images have left."""
        if self._first is None and self._arrival is not None:
            self._first = time.monotonic() - self._arrival

    def add(self, one: Slice, made: Made) -> None:
        """Note how the image of a slice was made."""
        if self.folder is None:
            return
        place = {"encoding": one.space, "slice": one.number, "repetition": one.repetition}
        if self._noise is None:
            levels = noise_level(one.kspace)
            self._noise = float(levels[levels > 0].median()) if (levels > 0).any() else 0.0
        if made.reason and not self._failures:
            failed = {"method": self._guarded.first.name, "reason": made.reason, "instead": made.by.name}
            self._failures.append(place | failed)
        self._slices.append(
            place
            | {
                "method": made.by.name,
                "coils": one.kspace.n_coils,
                "acceleration": one.kspace.acceleration,
                "support": made.support,
                "residual": None if made.residual is None else made.residual.flatten().tolist(),
                "calibration_seconds": made.calibration_seconds,
                "reconstruction_seconds": made.reconstruction_seconds,
                "iterations": None if made.iterations is None else list(made.iterations),
                "stopped_by_deadline": made.late > 0,
                "start": made.start or None,
                "remarks": list(made.remarks),
            }
        )

    def _notes(self, ended: str) -> dict[str, Any]:
        first, fallback = self._guarded.first, self._guarded.fallback
        card = first.card
        return {
            "measurement": self._measurement,
            "began": self._began.isoformat(timespec="milliseconds"),
            "ended": datetime.now(timezone.utc).isoformat(timespec="milliseconds"),
            "outcome": ended,
            "method": repr(first.method),
            "fallback": repr(fallback.method) if fallback else None,
            "deadline_seconds": self._guarded.limit,
            "device": str(first.device),
            "versions": versions(),
            "field_tesla": self._guarded.field_tesla,
            "model": None if card is None else {"name": card.name, "sha256": card.sha256},
            "weights": {"reads": reads() - self._reads, "read_seconds": first.reading},
            "noise_level": self._noise,
            "first_image_seconds": self._first,
            "slices": self._slices,
            "failures": self._failures,
        }

    def _times(self) -> dict[str, Any]:
        times = self._connection.times
        clocks = times.clocks or {"reconstruct": self._connection.clock}
        return {
            "gadget_seconds": {name: round(clock.seconds, 6) for name, clock in clocks.items()},
            "first_image_latency_seconds": times.first_image,
        }

    def _write(self, folder: Path) -> None:
        """Replace the file by one with the times as they are now."""
        try:
            text = json.dumps(self._document | self._times(), indent=1)
            # Measurement IDs come from anyone's header.
            name = re.sub(r"[^A-Za-z0-9_-]+", "_", self._measurement)[:64] or "scan"
            handle, part = tempfile.mkstemp(dir=folder, prefix=f"{name}_{self._began:%Y%m%dT%H%M%S}_", suffix=".part")
            try:
                with os.fdopen(handle, "w", encoding="utf-8") as file:
                    file.write(text)
                path = self._path or Path(part).with_suffix(".json")
                os.replace(part, path)
            except BaseException:
                Path(part).unlink(missing_ok=True)
                raise
            self._path = path
        except OSError as refused:
            # The images are made, or the scan has another error to tell of.
            log.warning("the quality record was not written: %s", describe_error(refused))
