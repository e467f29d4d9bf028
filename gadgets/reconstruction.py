"""Image arrays of recon data, slice by slice, that say how they were made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import ismrmrd
import numpy as np
import torch
from gadgetron.types.image_array import ImageArray
from gadgetron.types.recon_data import ReconBit, ReconBuffer
from torch import Tensor

from gadgets.attempts import Guarded, Made, Slice
from gadgets.batches import together
from gadgets.mri.kspace import KSpace
from gadgets.outputs.image_headers import image_headers
from gadgets.outputs.images import Counter, image_array
from gadgets.outputs.meta import new_meta
from gadgets.outputs.provenance import (
    record_instead,
    record_method,
    record_model,
    record_preliminary,
    record_remarks,
    record_residual,
    record_start,
    record_stopped,
)
from gadgets.outputs.sampling import AXES, record_range, record_sampling
from gadgets.packages import versions
from gadgets.quality_record import QualityRecord
from gadgets.recon_buffers import holds_maps, slices
from gadgets.stream.dtypes import ACQUISITION_HEADER
from gadgets.stream.headers import header_array
from gadgets.tensors import encoded_field, first_of_slice, kspace, of_slice, reference, tensor, to_reconstructed
from gadgets.trajectory import require_trajectory

#: Recon data of one encoding space, its number, and how receivers follow from channels, where that is known.
Waiting = tuple[ReconBit, int, "Tensor | None"]

#: What is added to the series of preliminary images.
PRELIMINARY_SERIES = 100


class Reconstruction:
    """A method at work on one scan.

    record: takes notes, where there is one. final: of preliminary images, the method with all its settings that makes
    the final ones.
    """

    def __init__(self, guarded: Guarded, header: Any, record: QualityRecord | None = None, *, final: str = ""):
        self.guarded = guarded
        self.header = header
        self.record = record
        self.final = final
        self.counter = Counter()

    def images(self, waiting: Sequence[Waiting]) -> Iterator[ImageArray]:
        """The images of each of the recon data that wait, as they are made; slices of several may be made at once."""
        noted = self.record is not None and self.record.folder is not None
        wholes, there = [], []
        for bit, space, receivers in waiting:
            require_trajectory(self.header, space, bit.data)
            wholes.append(kspace(bit.data))
            there.append(list(self._slices(bit, wholes[-1], space, receivers)))
        made = together(self.guarded, [one for some in there for _, one in some], looked_at=noted)
        for (bit, space, _), whole, some in zip(waiting, wholes, there, strict=True):
            pixels = torch.zeros((*whole.other, 1, *whole.image_matrix), dtype=torch.complex64)
            found: dict[int, Made] = {}
            for loc, one in some:
                pixels[loc : loc + 1], found[loc] = next(made)
                if self.record is not None:
                    self.record.add(one, found[loc])
            yield self._array(pixels, bit.data, space, found)

    def _slices(
        self, bit: ReconBit, whole: KSpace, space: int, receivers: Tensor | None
    ) -> Iterator[tuple[int, Slice]]:
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
                        receivers=receivers,
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
        series = space + PRELIMINARY_SERIES * bool(self.final)
        headers = image_headers(buffer, matrix, field_of_view, image_type=ismrmrd.IMTYPE_COMPLEX, series=series)
        measurement = self.header.measurementInformation
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
        if made.start:
            record_start(meta, made.start)
        if made.remarks:
            record_remarks(meta, made.by.name, made.remarks)
        if made.late and made.iterations is not None:
            record_stopped(meta, *made.iterations, made.late)
        if made.reason:
            first = self.guarded.first
            record_instead(meta, made.by.name, first.name, repr(first.method), made.reason)
        if self.final:
            record_preliminary(meta, made.by.name, self.final)


def _repetition(buffer: ReconBuffer) -> int:
    """The repetition that a buffer belongs to."""
    headers = header_array(buffer.headers, ACQUISITION_HEADER)
    return int(headers["idx"]["repetition"].max())
