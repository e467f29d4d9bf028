"""Recon data to images by a method of choice."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from gadgetron.types.image_array import ImageArray
from gadgetron.types.recon_data import ReconData
from torch import Tensor

from gadgets.attempts import Attempt, Guarded, warm
from gadgets.batches import MOST
from gadgets.behind import Behind
from gadgets.calibrations import device_of
from gadgets.detached import Detached
from gadgets.jobs import Work
from gadgets.mri import methods
from gadgets.progress import Progress
from gadgets.properties import gadget
from gadgets.quality_record import QualityRecord
from gadgets.receivers import receivers_of
from gadgets.reconstruction import Reconstruction, Waiting
from gadgets.resident import Resident
from gadgets.stream.connection import Connection
from gadgets.stream.errors import describe_error
from gadgets.tensors import References, warm_torch

log = logging.getLogger(__name__)

_resident = Resident("reconstruct", warm_torch)
# What takes long, so that previews of the slices to come need not wait for it.
_behind = Resident("reconstruct behind", warm_torch)

# Properties that are none of the method's.
_OWN = ("method", "device", "fallback", "deadline", "preview", "detach", "keep_days", "warm_start", "qa")


def _check(properties: Mapping[str, Any]) -> None:
    settings = {name: value for name, value in properties.items() if name not in _OWN}
    methods.create(properties["method"], settings)
    if properties["fallback"]:
        methods.create(properties["fallback"])
    if properties["preview"] and hasattr(methods.create(properties["preview"]), "fitted"):
        raise ValueError(f"preview is {properties['preview']}, which takes long: expected a method that fits nothing")
    device_of(properties["device"])
    if properties["detach"] and not properties["preview"]:
        raise ValueError("detach needs a preview, which the scan is to end with")
    if not properties["keep_days"] > 0:
        raise ValueError(f"keep_days is {properties['keep_days']}, expected more than 0")
    if not properties["deadline"] >= 0:
        raise ValueError(f"deadline is {properties['deadline']}, expected 0 seconds or more")


@gadget(check=_check)
def reconstruct(
    connection: Connection,
    *,
    method: str = "cg_sense",
    device: str = "auto",
    fallback: str = "",
    deadline: float = 0.0,
    preview: str = "",
    detach: bool = False,
    keep_days: float = 7.0,
    warm_start: bool = True,
    qa: Path | None = None,
    **settings: str,
) -> None:
    """Images of every N, S and LOC. recon data -> image arrays, one for each encoding space, as soon as they are done.

    method: the name of a method (`gadgets.mri.methods`), or a dotted name of one elsewhere; further properties are the
    fields of the method. device: `auto` (CUDA where there is one), or a device by its name.

    deadline: seconds that the method may take for a slice, 0 for no limit; it looks at the clock before each iteration.
    A method that fits networks to the scan ends by it with what has served best on samples held out so far, and the
    image's comment and meta say so; others fail.
    fallback: the name of a method, with its own defaults, that reconstructs in place of `method` where that fails: by
    whatever it raises, by an image that is not finite, for want of memory, past the deadline, and by a model that is
    missing, is not what its card says, or is not made for the scan (coils, matrix, acceleration, trajectory, field). It
    does so for the rest of the scan; a warning goes to the client at once, and the image's comment, series and meta
    say so. With none, failing is the end of the scan.

    preview: the name of a method, with its own defaults, whose images are sent at once: of encoding space e in series
    100 + e, said to be preliminary in comment, series and meta. Those by `method` follow when they are done. They are
    made behind the scan: data of further slices are taken, and their previews sent, meanwhile; data that wait do so in
    memory, 4 GiB of them at the most: the scan waits then. Where a preview fails, a warning goes to the client, and the
    scan goes on without.

    detach: the scan ends with its previews, and the images are made afterwards, as a job (`gadgets.jobs`) whose ID is
    told to the client; `fetch`, or `deepgadgets fetch`, gives them as long as they are kept, for `keep_days`. Needs a
    preview, and a server whose processes stay.

    warm_start: methods that fit networks to the scan start each slice and repetition from the fit of the one before (of
    the same encoding space, coils and matrix), which takes them far fewer iterations; the meta says from which. An
    image then depends on those before it; with false, slices are treated alike.

    How far a fit is goes to the client's console and to the log. Where the client goes away, it ends.

    Maps in the reference (`coil_sensitivities`) are used where they are there. Else the method calibrates itself once
    for each slice, by the reference or, without one, by the fully sampled centre of the data. Of several N and S, the
    first with lines serves for all of the slice.

    With maps of its own calibration, the image is as bright as the receivers see it without whitening, where the stream
    says how they follow from the channels (`describe_channels` of noise_adjust).

    Images are complex64, on the reconstructed matrix and field of view, those of encoding space e in series e. Their
    meta names the method with all its settings and versions, for learned methods the model and how far the image is
    from the data (`gadgets.outputs.provenance`), and says what was sampled (for `partial_fourier`). Encoding spaces
    without data are skipped. qa: folder for a record of each scan (`gadgets.quality_record`).

    Along a trajectory, readouts of all N and S of a slice serve for its calibration together.

    Raises ValueError for a device that is absent, for detach where the process ends with the scan, for an encoding
    space that is on no grid and whose acquisitions have no trajectory, and what the method raises (many reconstruct
    nothing but Cartesian k-space), with the slice and repetition at which it happened.
    """
    there = device_of(device)
    header, field = connection.header, _field(connection.header)
    first = Attempt(method, methods.create(method, settings), there, warm_start=warm_start)
    work = partial(Work, connection.raw_bytes.header, _measurement(header), repr(first.method), keep_days)
    behind = Detached(connection, work) if detach else Behind(connection, _behind)
    progress = Progress(behind.abandoned, behind.tell)
    second = Attempt(fallback, methods.create(fallback), there) if fallback else None
    guarded = Guarded(first, second, progress, limit=deadline, field_tesla=field)
    early = None
    if preview:
        quick = Attempt(preview, methods.create(preview), there)
        plain = Guarded(quick, None, Progress(behind.abandoned, behind.tell), field_tesla=field)
        early = Reconstruction(plain, header, final=repr(first.method))
    record = QualityRecord(qa, _measurement(header), guarded, connection)
    final = Reconstruction(guarded, header, record)
    with behind.scan(record):
        for waiting in _waiting(connection, behind.send):
            record.arrived()
            if early is None:
                made = final.images(waiting)
                while (images := _resident(next, made, None)) is not None:
                    behind.send(images)
                    record.sent()
                continue
            for one in waiting:
                _preview(behind, early, one)
                behind.submit(partial(_only, final, one), _nbytes(one))
                record.sent()


def preload(method: str, model: str) -> float:
    """Have a model in memory, as a scan finds it, before the first one; the seconds it took.

    Raises what `create` and reading the model raise.
    """
    started = time.monotonic()
    _resident(warm, method, methods.create(method, {"model": model}), device_of("auto"))
    return time.monotonic() - started


def _only(reconstruction: Reconstruction, one: Waiting) -> ImageArray:
    """The images of recon data by themselves."""
    (images,) = reconstruction.images([one])
    return images


def _nbytes(one: Waiting) -> int:
    """How much memory recon data hold while they wait."""
    return sum(int(buffer.data.nbytes) for buffer in (one[0].data, one[0].ref) if buffer is not None)


def _preview(behind: Behind | Detached, early: Reconstruction, one: Waiting) -> None:
    """Send preliminary images; what makes them may fail."""
    try:
        images = _resident(_only, early, one)
    except (ValueError, RuntimeError) as error:
        log.warning("there are no preliminary images: %s", describe_error(error))
    else:
        behind.send(images)


def _waiting(connection: Connection, send: Callable[[Any], None]) -> Iterator[list[Waiting]]:
    """What there is to reconstruct, in lists of what has arrived by then; all else is sent on."""
    references = References()
    receivers: Tensor | None = None
    waiting: list[Waiting] = []
    for item in connection.blocks():
        if (found := receivers_of(item)) is not None:
            receivers = torch.from_numpy(found)
        elif not isinstance(item, ReconData):
            send(item)
        else:
            for space, bit in enumerate(item.bits):
                complete = references.complete(bit, space)
                if complete.data.data.size:
                    waiting.append((complete, space, receivers))
            if waiting and (len(waiting) >= MOST or not connection.arrived(ReconData)):
                yield waiting
                waiting = []
    if waiting:
        yield waiting


def _measurement(header: Any) -> str:
    """The ID of the scan, empty where it has none."""
    return getattr(header.measurementInformation, "measurementID", None) or ""


def _field(header: Any) -> float | None:
    """The field of the scanner in tesla, where the header says it."""
    field = getattr(header.acquisitionSystemInformation, "systemFieldStrength_T", None)
    return float(field) if field else None
