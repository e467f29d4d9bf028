"""Fill in the part of k-space that was not sampled, on combined images."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import ismrmrd
import torch
from gadgetron.types.image_array import ImageArray

from gadgets.mri import methods
from gadgets.mri.fft import fft
from gadgets.mri.kspace import KSpace
from gadgets.outputs.images import changed_array, metas_of
from gadgets.outputs.meta import add_step, put, values
from gadgets.outputs.sampling import AXES, SKIP, acceleration, encoding_of, partial_ranges, record_range
from gadgets.properties import gadget
from gadgets.resident import Resident
from gadgets.stream.connection import Connection
from gadgets.tensors import tensor, warm_torch

log = logging.getLogger(__name__)

_resident = Resident("partial_fourier", warm_torch)

# First and last place along RO, E1, E2 that were sampled, or None for an axis that is complete.
Ranges = list[tuple[int, int] | None]

_METHODS = ("pocs_partial_fourier", "homodyne")


def _check(properties: Mapping[str, Any]) -> None:
    if properties["method"] not in _METHODS:
        raise ValueError(f"method is {properties['method']!r}, expected {' or '.join(_METHODS)}")
    methods.create(properties["method"], {name: value for name, value in properties.items() if name != "method"})


@gadget(check=_check)
def partial_fourier(connection: Connection, *, method: str = "pocs_partial_fourier", **settings: str) -> None:
    """Fill missing k-space of complex images by the smoothness of their phase. image arrays -> image arrays.

    It goes behind a reconstruction that unfolds and combines (`reconstruct`, GenericReconCartesianGrappaGadget), so
    parallel imaging and partial Fourier work together, and ahead of whatever takes the magnitude. The combined image is
    one channel with a map of ones; what of its k-space was sampled is said by sampling_limits of the meta. An axis is
    partial where one side lacks more than the other by over the acceleration; an axis with the same missing on both
    sides has less resolution, and nothing is filled there. Where the acceleration is R, the last R - 1 points at the
    border of the sampled part may have been made of too few lines, and are filled too. Combination by maps mixes
    k-space over a few points, so what is near that border is less certain than in data of one coil; and so does cutting
    the field of view through the object along a partial axis, which belongs behind this gadget.

    It helps where the phase is smooth. In gradient echoes it is not, near air and beside fat: there the image may be
    farther from the truth than with zeros in the missing part, under GenericReconPartialFourierHandlingFilterGadget.

    method: `pocs_partial_fourier`, which keeps what was sampled and the phase, or `homodyne`, which takes one partial
    axis and gives real images; further properties are the fields of the method.

    Images of complete k-space, arrays whose meta has Skip_processing_after_recon or no sampling_limits (said once), and
    other items pass unchanged. In the others' meta, the axes are then complete, and the method joins the history.

    Raises ValueError for sampling_limits that are of another matrix, and what the method raises.
    """
    chosen = methods.create(method, settings)
    said = False
    for item in connection.blocks():
        if isinstance(item, ImageArray) and item.data.size:
            metas = metas_of(item)
            known = bool(metas) and all(values(metas[0], f"sampling_limits_{axis}") for axis in AXES)
            if known and SKIP not in metas[0]:
                factors = acceleration(connection.header.encoding[encoding_of(metas[0], connection.header)])
                ranges = partial_ranges(metas[0], item.data.shape[:3], factors)
                if any(ranges):
                    item = _resident(_filled, item, metas, _certain(ranges, item, factors), chosen, method)
            elif not known and not said:
                log.warning("images whose meta has no sampling_limits are left as they are")
                said = True
        connection.send(item)


def _certain(ranges: Ranges, images: ImageArray, factors: Sequence[int]) -> Ranges:
    """What was sampled, without what lines beyond it would have been needed for."""
    found: Ranges = []
    for sampled, length, factor in zip(ranges, images.data.shape[:3], factors, strict=True):
        if sampled is not None:
            first, last = sampled
            sampled = first + (factor - 1) * (first > 0), last - (factor - 1) * (last < length - 1)
        found.append(sampled)
    return found


def _filled(
    images: ImageArray,
    metas: list[ismrmrd.Meta],
    ranges: Ranges,
    method: methods.Method,
    name: str,
) -> ImageArray:
    pixels = tensor(images.data)
    matrix = pixels.shape[-3:]
    mask = torch.ones(matrix, dtype=torch.bool)
    for number, sampled in enumerate(ranges):
        if sampled is not None:
            k = torch.arange(images.data.shape[number])
            mask = mask & ((k >= sampled[0]) & (k <= sampled[1])).reshape([-1] + [1] * number)
            for meta in metas:
                record_range(meta, AXES[number], len(k))
    # Every image is one slice of one channel, whatever its array holds.
    flat = pixels.reshape(-1, 1, *matrix)
    kspace = KSpace(data=fft(flat, (-3, -2, -1)) * mask, mask=mask.expand(len(flat), 1, *matrix))
    made = method(kspace, torch.ones_like(flat))
    for meta in metas:
        add_step(meta, name)
        put(meta, "ImageComments", [*values(meta, "ImageComments"), repr(method)])
    return changed_array(images, made.reshape(pixels.shape).numpy(), metas=metas)
