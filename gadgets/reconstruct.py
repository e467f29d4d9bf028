"""Recon data to images by a method of choice."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import ismrmrd
import torch
from gadgetron.types.image_array import ImageArray
from gadgetron.types.recon_data import ReconBit, ReconBuffer, ReconData
from torch import Tensor

from gadgets.mri import methods
from gadgets.mri.kspace import KSpace
from gadgets.outputs.image_headers import image_headers
from gadgets.outputs.images import Counter, image_array
from gadgets.outputs.meta import new_meta
from gadgets.outputs.sampling import AXES, record_range, record_sampling
from gadgets.properties import gadget
from gadgets.receivers import receivers_of
from gadgets.resident import Resident
from gadgets.stream.connection import Connection
from gadgets.stream.dtypes import ACQUISITION_HEADER
from gadgets.stream.headers import header_array
from gadgets.tensors import (
    References,
    brightness,
    encoded_field,
    first_of_slice,
    holds_maps,
    kspace,
    of_slice,
    over_receivers,
    reference,
    require_calibration,
    slices,
    tensor,
    to_reconstructed,
    warm_torch,
)
from gadgets.trajectory import require_trajectory

log = logging.getLogger(__name__)

_resident = Resident("reconstruct", warm_torch)


def _check(properties: Mapping[str, Any]) -> None:
    settings = {name: value for name, value in properties.items() if name not in ("method", "device")}
    methods.create(properties["method"], settings)
    _device(properties["device"])


@gadget(check=_check)
def reconstruct(connection: Connection, *, method: str = "cg_sense", device: str = "auto", **settings: str) -> None:
    """Images of every N, S and LOC. recon data -> image arrays, one for each encoding space, as soon as they are done.

    method: the name of a method (`gadgets.mri.methods`), or a dotted name of one elsewhere; further properties are the
    fields of the method. device: `auto` (CUDA where there is one), or a device by its name.

    Maps in the reference (`coil_sensitivities`) are used where they are there. Else the method calibrates itself once
    for each slice, by the reference or, without one, by the fully sampled centre of the data. Of several N and S, the
    first with lines serves for all of the slice.

    With maps of its own calibration, the image is as bright as the receivers see it without whitening, where the stream
    says how they follow from the channels (`describe_channels` of noise_adjust).

    Images are complex64, on the reconstructed matrix and field of view, those of encoding space e in series e. Their
    meta names the method with all its settings, and says what was sampled (for `partial_fourier`). Encoding spaces
    without data are skipped.

    Along a trajectory, readouts of all N and S of a slice serve for its calibration together.

    Raises ValueError for a device that is absent, for an encoding space that is on no grid and whose acquisitions have
    no trajectory, and what the method raises (many reconstruct nothing but Cartesian k-space), with the slice and
    repetition at which it happened.
    """
    worker = _Reconstruction(method, methods.create(method, settings), _device(device), connection)
    references = References()
    for item in connection.blocks():
        if (found := receivers_of(item)) is not None:
            worker.receivers = torch.from_numpy(found)
            continue
        if not isinstance(item, ReconData):
            connection.send(item)
            continue
        for space, bit in enumerate(item.bits):
            complete = references.complete(bit, space)
            if complete.data.data.size:
                connection.send(_resident(worker.images, complete, space))


class _Reconstruction:
    """A method at work on one scan, with what it has calibrated so far."""

    def __init__(self, name: str, method: methods.Method, device: torch.device, connection: Connection):
        self.name = name
        self.method = method
        self.device = device
        self.connection = connection
        self.counter = Counter()
        self.receivers: Tensor | None = None
        self.calibrations: dict[tuple[Any, ...], Tensor | None] = {}
        log.info("%r on %s", method, device)

    def images(self, bit: ReconBit, space: int) -> ImageArray:
        """The images of one encoding space."""
        require_trajectory(self.connection.header, space, bit.data)
        whole = kspace(bit.data)
        csm = tensor(bit.ref.data) if holds_maps(bit.ref) else None
        own = None if csm is not None or bit.ref is None or not bit.ref.data.size else reference(bit.ref, bit.data)
        pixels = torch.zeros((*whole.other, 1, *whole.image_matrix), dtype=torch.complex64)
        for loc, number in enumerate(slices(bit.data)):
            if number is None:
                continue
            try:
                calibration = self._calibration(own, whole, loc, (space, number)) if csm is None else csm[loc : loc + 1]
                part = of_slice(whole, loc).to(self.device)
                on_device = None if calibration is None else calibration.to(self.device)
                image = self._image(part, on_device, own=csm is None)
                pixels[loc : loc + 1] = image.cpu()
            except Exception as error:
                kind = ValueError if isinstance(error, ValueError) else RuntimeError
                raise kind(f"{self.name} at slice {number}, repetition {_repetition(bit.data)}: {error}") from error
        return self._array(pixels, bit.data, space)

    def _image(self, part: KSpace, calibration: Tensor | None, *, own: bool) -> Tensor:
        """The images of a slice, as bright as the receivers see it where the method has calibrated itself."""
        if self.receivers is None or calibration is None or not own:
            return self.method(part, calibration)
        sets = getattr(self.method, "sets", 1)
        if sets > 1:
            # Each set has a brightness of its own, and the image is of all together.
            return self.method(part, over_receivers(calibration, self.receivers, sets))
        return self.method(part, calibration) * brightness(calibration, self.receivers, part.n_coils)

    def _calibration(self, own: KSpace | None, whole: KSpace, loc: int, key: tuple[int, int]) -> Tensor | None:
        """What the method calibrated for a slice, from its reference or from its data."""
        known = (*key, whole.n_coils, whole.image_matrix)
        if known not in self.calibrations:
            part = first_of_slice(own if own is not None and own.mask[loc].any() else whole, loc)
            found = self.method.calibrate(part.to(self.device))
            if found is not None:
                require_calibration(part)
            self.calibrations[known] = found
        return self.calibrations[known]

    def _array(self, pixels: Tensor, buffer: ReconBuffer, space: int) -> ImageArray:
        if buffer.trajectory is None:
            pixels, field_of_view = to_reconstructed(pixels, buffer.sampling)
            encoded = encoded_field(buffer.data.shape[0], buffer.sampling)
        else:
            # Made on the reconstructed matrix and field of view as they are.
            encoded = field_of_view = list(buffer.sampling.recon_FOV)
        matrix = tuple(pixels.shape[:-4:-1])
        zoom = [made / own if own > 0 else 1.0 for made, own in zip(field_of_view, encoded, strict=True)]
        headers = image_headers(buffer, matrix, field_of_view, image_type=ismrmrd.IMTYPE_COMPLEX, series=space)
        history, comment = ["deepgadgets", self.name], repr(self.method)
        measurement = self.connection.header.measurementInformation
        protocol = (measurement.protocolName if measurement else None) or ""

        def describe(header: Any) -> ismrmrd.Meta:
            meta = new_meta(header, history, comment=comment, description=protocol)
            record_sampling(meta, space, buffer.sampling, matrix, zoom)
            if buffer.trajectory is not None:
                for axis, length in zip(AXES, matrix, strict=True):
                    record_range(meta, axis, length)
            return meta

        return image_array(pixels.numpy(), headers, describe, self.counter)


def _repetition(buffer: ReconBuffer) -> int:
    """The repetition that a buffer belongs to."""
    headers = header_array(buffer.headers, ACQUISITION_HEADER)
    return int(headers["idx"]["repetition"].max())


def _device(name: str) -> torch.device:
    """The device of a name. Raises ValueError, with what there is, for one that is absent."""
    there = ["cpu"] + [f"cuda:{index}" for index in range(torch.cuda.device_count())]
    if name == "auto":
        return torch.device(there[1] if len(there) > 1 else "cpu")
    if name not in there and not (name == "cuda" and len(there) > 1):
        raise ValueError(f"there is no device '{name}'; there are: auto, {', '.join(there)}")
    return torch.device(name)
