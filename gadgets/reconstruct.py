"""Recon data to images by a method of choice."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import ismrmrd
import numpy as np
import torch
from gadgetron.types.image_array import ImageArray
from gadgetron.types.recon_data import ReconBit, ReconBuffer, ReconData
from torch import Tensor

from gadgets.attempts import Attempt, Guarded, Made, Slice, warm
from gadgets.calibrations import device_of
from gadgets.mri import methods
from gadgets.mri.kspace import KSpace
from gadgets.outputs.image_headers import image_headers
from gadgets.outputs.images import Counter, image_array
from gadgets.outputs.meta import new_meta
from gadgets.outputs.provenance import record_instead, record_method, record_model, record_residual
from gadgets.outputs.sampling import AXES, record_range, record_sampling
from gadgets.packages import versions
from gadgets.properties import gadget
from gadgets.quality_record import QualityRecord
from gadgets.receivers import receivers_of
from gadgets.recon_buffers import holds_maps, slices
from gadgets.resident import Resident
from gadgets.stream.connection import Connection
from gadgets.stream.dtypes import ACQUISITION_HEADER
from gadgets.stream.headers import header_array
from gadgets.tensors import (
    References,
    encoded_field,
    first_of_slice,
    kspace,
    of_slice,
    reference,
    tensor,
    to_reconstructed,
    warm_torch,
)
from gadgets.trajectory import require_trajectory

_resident = Resident("reconstruct", warm_torch)

# Properties that are none of the method's.
_OWN = ("method", "device", "fallback", "deadline", "qa")


def _check(properties: Mapping[str, Any]) -> None:
    settings = {name: value for name, value in properties.items() if name not in _OWN}
    methods.create(properties["method"], settings)
    if properties["fallback"]:
        methods.create(properties["fallback"])
    device_of(properties["device"])
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
    qa: Path | None = None,
    **settings: str,
) -> None:
    """Images of every N, S and LOC. recon data -> image arrays, one for each encoding space, as soon as they are done.

    method: the name of a method (`gadgets.mri.methods`), or a dotted name of one elsewhere; further properties are the
    fields of the method. device: `auto` (CUDA where there is one), or a device by its name.

    deadline: seconds that the method may take for a slice, 0 for no limit; it looks at the clock before each iteration.
    fallback: the name of a method, with its own defaults, that reconstructs in place of `method` where that fails: by
    whatever it raises, by an image that is not finite, for want of memory, past the deadline, and by a model that is
    missing, is not what its card says, or is not made for the scan (coils, matrix, acceleration, trajectory, field). It
    does so for the rest of the scan; a warning goes to the client at once, and the image's comment, series and meta
    say so. With none, failing is the end of the scan.

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

    Raises ValueError for a device that is absent, for an encoding space that is on no grid and whose acquisitions have
    no trajectory, and what the method raises (many reconstruct nothing but Cartesian k-space), with the slice and
    repetition at which it happened.
    """
    there = device_of(device)
    guarded = Guarded(
        Attempt(method, methods.create(method, settings), there),
        Attempt(fallback, methods.create(fallback), there) if fallback else None,
        limit=deadline,
        field_tesla=_field(connection.header),
    )
    with QualityRecord(qa, _measurement(connection.header), guarded) as record:
        _reconstruct(connection, _Reconstruction(guarded, record, connection))


def preload(method: str, model: str) -> float:
    """Have a model in memory, as a scan finds it, before the first one; the seconds it took.

    Raises what `create` and reading the model raise.
    """
    started = time.monotonic()
    _resident(warm, method, methods.create(method, {"model": model}), device_of("auto"))
    return time.monotonic() - started


def _reconstruct(connection: Connection, worker: _Reconstruction) -> None:
    references = References()
    for item in connection.blocks():
        if (found := receivers_of(item)) is not None:
            worker.receivers = torch.from_numpy(found)
            continue
        if not isinstance(item, ReconData):
            connection.send(item)
            continue
        worker.record.arrived()
        for space, bit in enumerate(item.bits):
            complete = references.complete(bit, space)
            if complete.data.data.size:
                connection.send(_resident(worker.images, complete, space))
                worker.record.sent()


class _Reconstruction:
    """A method at work on one scan."""

    def __init__(self, guarded: Guarded, record: QualityRecord, connection: Connection):
        self.guarded = guarded
        self.record = record
        self.connection = connection
        self.counter = Counter()
        self.receivers: Tensor | None = None

    def images(self, bit: ReconBit, space: int) -> ImageArray:
        """The images of one encoding space."""
        require_trajectory(self.connection.header, space, bit.data)
        whole = kspace(bit.data)
        pixels = torch.zeros((*whole.other, 1, *whole.image_matrix), dtype=torch.complex64)
        found: dict[int, Made] = {}
        for loc, one in self._slices(bit, whole, space):
            pixels[loc : loc + 1], found[loc] = self.guarded(one, looked_at=self.record.folder is not None)
            self.record.add(one, found[loc])
        return self._array(pixels, bit.data, space, found)

    def _slices(self, bit: ReconBit, whole: KSpace, space: int) -> Iterator[tuple[int, Slice]]:
        """What there is of each slice of which something was acquired, with its LOC."""
        csm = tensor(bit.ref.data) if holds_maps(bit.ref) else None
        own = None if csm is not None or bit.ref is None or not bit.ref.data.size else reference(bit.ref, bit.data)
        for loc, number in enumerate(slices(bit.data)):
            if number is not None:
                source = own if own is not None and own.mask[loc].any() else whole
                yield (
                    loc,
                    Slice(
                        kspace=of_slice(whole, loc),
                        csm=None if csm is None else csm[loc : loc + 1],
                        reference=partial(first_of_slice, source, loc),
                        number=number,
                        repetition=_repetition(bit.data),
                        space=space,
                        receivers=self.receivers,
                    ),
                )

    def _array(self, pixels: Tensor, buffer: ReconBuffer, space: int, found: Mapping[int, Made]) -> ImageArray:
        if buffer.trajectory is None:
            pixels, field_of_view = to_reconstructed(pixels, buffer.sampling)
            encoded = encoded_field(buffer.data.shape[0], buffer.sampling)
        else:
            # Made on the reconstructed matrix and field of view as they are.
            encoded = field_of_view = list(buffer.sampling.recon_FOV)
        matrix = tuple(pixels.shape[:-4:-1])
        zoom = [made / own if own > 0 else 1.0 for made, own in zip(field_of_view, encoded, strict=True)]
        headers = image_headers(buffer, matrix, field_of_view, image_type=ismrmrd.IMTYPE_COMPLEX, series=space)
        measurement = self.connection.header.measurementInformation
        protocol = (measurement.protocolName if measurement else None) or ""
        # In the order in which images are described.
        places = iter(np.ndindex(headers.shape[::-1]))

        def describe(header: Any) -> ismrmrd.Meta:
            loc, s, n = next(places)
            made = found.get(loc)
            if made is None:
                # Nothing was acquired, and there is no image.
                return ismrmrd.Meta()
            settings = repr(made.by.method)
            meta = new_meta(header, ["deepgadgets", made.by.name], comment=settings, description=protocol)
            self._record(meta, made, s, n)
            record_sampling(meta, space, buffer.sampling, matrix, zoom)
            if buffer.trajectory is not None:
                for axis, length in zip(AXES, matrix, strict=True):
                    record_range(meta, axis, length)
            return meta

        return image_array(pixels.numpy(), headers, describe, self.counter)

    def _record(self, meta: ismrmrd.Meta, made: Made, s: int, n: int) -> None:
        """Say how an image was made."""
        record_method(meta, repr(made.by.method), versions())
        if made.by.card is not None:
            record_model(meta, made.by.card.name, made.by.card.sha256)
        if made.residual is not None and self.guarded.first.learned:
            record_residual(meta, float(made.residual[0, s, n]))
        if made.reason:
            first = self.guarded.first
            record_instead(meta, made.by.name, first.name, repr(first.method), made.reason)


def _measurement(header: Any) -> str:
    """The ID of the scan, empty where it has none."""
    return getattr(header.measurementInformation, "measurementID", None) or ""


def _field(header: Any) -> float | None:
    """The field of the scanner in tesla, where the header says it."""
    field = getattr(header.acquisitionSystemInformation, "systemFieldStrength_T", None)
    return float(field) if field else None


def _repetition(buffer: ReconBuffer) -> int:
    """The repetition that a buffer belongs to."""
    headers = header_array(buffer.headers, ACQUISITION_HEADER)
    return int(headers["idx"]["repetition"].max())
