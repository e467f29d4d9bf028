"""The one door between stream and numerics: recon buffers to k-space and maps, images to image arrays.

Gadgetron's buffer [E0, E1, E2, CHA, N, S, LOC] in Fortran order is, transposed, (LOC, S, N, CHA, E2, E1, E0) in C
order: what is k-space (*other, coil, k2, k1, k0) in the numerics, and no byte is moved.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from gadgetron.types.recon_data import ReconBit, ReconBuffer, SamplingDescription
from torch import Tensor

from gadgets.mri.calibration.region import calibration_region
from gadgets.mri.calibration.time_average import time_average
from gadgets.mri.field_of_view import centred, interpolated
from gadgets.mri.kspace import KSpace
from gadgets.recon_buffers import slices
from gadgets.stream.dtypes import ACQUISITION_HEADER
from gadgets.stream.headers import header_array
from gadgets.trajectory import image_matrix, places_of, within

log = logging.getLogger(__name__)

#: Fewer central lines than this cannot follow how sensitivities change over the field of view.
LEAST_LINES = 8


def tensor(values: np.ndarray) -> Tensor:
    """Samples [E0, ..., LOC] as (LOC, S, N, CHA, E2, E1, E0), sharing memory where they are complex64 already."""
    samples = np.asarray(values.T, np.complex64)
    return torch.from_numpy(samples if samples.flags.writeable else samples.copy())


def kspace(buffer: ReconBuffer) -> KSpace:
    """K-space (LOC, S, N, CHA, E2, E1, E0) of a buffer, with the mask of what was acquired.

    A line was acquired where its header has samples; of the line, what lies between discard_pre and discard_post. A
    buffer with data, but without any header, is masked where it is not zero, and a warning says so.

    Along a trajectory (units: `gadgets.trajectory`) the image has the reconstructed matrix. Readouts that no image has
    are left out, and of the others, samples beyond the k-space of that matrix.
    """
    data = tensor(buffer.data)
    mask = _mask(buffer)
    if buffer.trajectory is not None:
        matrix = image_matrix(buffer.sampling)
        there = mask.any(dim=-1).flatten(0, 4).any(dim=0)
        places = places_of(buffer)[..., there, :]
        inside = mask[..., there, :] & within(places, matrix)
        return KSpace(data=data[..., there, :], mask=inside, trajectory=places, grid=matrix)
    if not mask.any() and data.any():
        log.warning("recon data without acquisition headers: samples that are not zero are taken for acquired")
        return KSpace.from_data(data)
    return KSpace(data=data, mask=mask)


def reference(buffer: ReconBuffer, like: ReconBuffer) -> KSpace:
    """K-space of a reference on the grid of the data `like`, which it may cover in part: centre is put on centre.

    Raises ValueError when the two do not have the same channels and slices.
    """
    given, wanted = buffer.data.shape, like.data.shape
    if given[3] != wanted[3] or given[6] != wanted[6]:
        raise ValueError(
            f"the reference has {given[3]} channels and {given[6]} slices, the data have {wanted[3]} and {wanted[6]}"
        )
    own = kspace(buffer)
    if own.trajectory is not None:
        return own
    if like.trajectory is not None:
        raise ValueError("the reference has no trajectory, the data have one")
    centres = [_centre(limit, n) for limit, n in zip(buffer.sampling.sampling_limits, given[:3], strict=True)][::-1]
    matrix = tuple(wanted[2::-1])
    if own.matrix == matrix and centres == [n // 2 for n in matrix]:
        return own
    return KSpace(data=_placed(own.data, centres, matrix), mask=_placed(own.mask, centres, matrix))


class References:
    """References that come before their data, as those of scans with a separate calibration can."""

    def __init__(self) -> None:
        self._kept: dict[tuple[int, tuple[int | None, ...]], ReconBuffer] = {}

    def complete(self, bit: ReconBit, space: int) -> ReconBit:
        """The bit of an encoding space, with the reference that came before it for its slices and was not used yet."""
        has_reference = bit.ref is not None and bit.ref.data.size > 0
        if not bit.data.data.size:
            if has_reference:
                self._kept[space, tuple(slices(bit.ref))] = bit.ref
            return bit
        earlier = self._kept.pop((space, tuple(slices(bit.data))), None)
        return bit if has_reference or earlier is None else ReconBit(bit.data, earlier)


def of_slice(whole: KSpace, loc: int) -> KSpace:
    """K-space (1, S, N, CHA, E2, E1, E0) of one slice."""
    places = whole.trajectory
    if places is not None and len(places) > 1:
        places = places[loc : loc + 1]
    return replace(whole, data=whole.data[loc : loc + 1], mask=whole.mask[loc : loc + 1], trajectory=places)


def first_of_slice(whole: KSpace, loc: int) -> KSpace:
    """K-space (1, 1, 1, CHA, E2, E1, E0) of the first N and S of a slice of which something was acquired.

    Sensitivities do not depend on contrast or average, and maps that are shared keep phases between them. Along a
    trajectory, it is the readouts of all N and S together, as those of one may be few.
    """
    _, n_s, n_n = whole.other
    if whole.trajectory is not None:
        return _together(of_slice(whole, loc))
    acquired = whole.mask[loc].expand(n_s, n_n, *whole.mask.shape[3:]).flatten(2).any(dim=2)
    s, n = divmod(int(acquired.flatten().int().argmax()), n_n)
    return KSpace(data=whole.data[loc, s, n][None, None, None], mask=whole.mask[loc, s, n][None, None, None])


def average_of_slice(whole: KSpace, loc: int) -> KSpace:
    """K-space (1, 1, 1, CHA, E2, E1, E0) of the first S of a slice, each line the mean of the N that have it.

    For series along N, whose frames have other lines each: a calibration region together that none of them has.
    """
    return first_of_slice(time_average(of_slice(whole, loc)), 0)


def _together(part: KSpace) -> KSpace:
    """Readouts (1, S, N, CHA, E2, E1, E0) along trajectories, those of all S and N after one another along E1."""

    def flat(x: Tensor) -> Tensor:
        return x.expand(1, *part.other[1:], *x.shape[3:]).flatten(1, 2)

    assert part.trajectory is not None
    one = time_average(
        KSpace(data=flat(part.data), mask=flat(part.mask), trajectory=flat(part.trajectory), grid=part.grid)
    )
    assert one.trajectory is not None
    return replace(one, data=one.data[None], mask=one.mask[None], trajectory=one.trajectory[None])


def brightness(calibration: Tensor, receivers: Tensor, n_coils: int) -> Tensor:
    """How bright a point is for the receivers (*other, 1, z, y, x).

    receivers: their matrix (receiver, coil), or (x, receiver, coil) where it is another one at each place along the
    readout. calibration: the last of its channels are maps csm (*other, coil, z, y, x) with sum_coil |csm|^2 = 1: an
    image that was made with them, times this, is the root sum of squares of what the receivers see. Raises ValueError
    unless the matrix is of the coils of the k-space, and of its places.
    """
    if receivers.shape[-1] != n_coils:
        raise ValueError(f"the stream describes {receivers.shape[-1]} channels, the data have {n_coils}")
    csm = calibration[..., -n_coils:, :, :, :]
    if receivers.ndim == 3 and len(receivers) != csm.shape[-1]:
        raise ValueError(
            f"the stream describes channels at {len(receivers)} places along the readout, the data have "
            f"{csm.shape[-1]}: coil_compression by gcc belongs behind gadgets that change the readout"
        )
    equation = "rc,...czyx->...rzyx" if receivers.ndim == 2 else "xrc,...czyx->...rzyx"
    seen = torch.einsum(equation, receivers.to(csm.device), csm)
    return torch.linalg.vector_norm(seen, dim=-4, keepdim=True)


def over_receivers(csm: Tensor, receivers: Tensor, sets: int = 1) -> Tensor:
    """Maps (*other, set * coil, z, y, x) whose squares sum to one over the receivers, of each set. See `brightness`."""
    each = csm.unflatten(-4, (sets, -1))
    seen = brightness(each, receivers, each.shape[-4])
    seen = torch.where(seen > 0, seen.clamp_min(torch.finfo(seen.dtype).tiny), 1)
    return (each / seen).flatten(-5, -4)


def require_calibration(part: KSpace) -> None:
    """Raise ValueError unless the centre of k-space is sampled densely enough to calibrate from it.

    Along a trajectory, what puts the centre on a grid has looked already.
    """
    if part.trajectory is not None:
        return
    region = calibration_region(part.mask)
    for name, extent, length in zip(("k2", "k1"), region[:2], part.matrix[:2], strict=True):
        lines = extent.stop - extent.start
        if lines < min(LEAST_LINES, length):
            raise ValueError(
                f"only {lines} neighbouring lines of {length} were acquired at the centre of k-space along {name}; "
                f"calibration needs {min(LEAST_LINES, length)}"
            )


def to_reconstructed(images: Tensor, sampling: SamplingDescription) -> tuple[Tensor, list[float]]:
    """Images (*other, z, y, x) of the encoded field of view on the reconstructed one, and its size (x, y, z) in mm.

    First the field of view is cropped or padded in whole voxels, then the matrix changed by interpolation. So the field
    of view can differ from the one asked for by half a voxel at most; the size that is returned is the true one.
    Nothing is done along axes for which the sampling description gives no size.
    """
    matrix, field = list(images.shape[-3:]), []
    target = list(matrix)
    encoded = encoded_field(images.shape[-1], sampling)
    for axis, (own, wanted, length) in enumerate(
        zip(encoded, sampling.recon_FOV, sampling.recon_matrix, strict=True), start=1
    ):
        size = images.shape[-axis]
        if own > 0 and wanted > 0:
            matrix[-axis] = max(1, round(size * wanted / own))
        field.append(own * matrix[-axis] / size if own > 0 else wanted)
        target[-axis] = length or matrix[-axis]
    return interpolated(centred(images, matrix), target), field


def encoded_field(samples: int, sampling: SamplingDescription) -> list[float]:
    """The field of view (x, y, z) that the buffer has: readouts may have been cropped to the reconstructed one."""
    encoded, recon = list(sampling.encoded_FOV), list(sampling.recon_FOV)
    full = sampling.encoded_matrix[0]
    if samples != full and encoded[0] > 0 and samples == round(full * recon[0] / encoded[0]):
        encoded[0] = recon[0]
    return encoded


def _mask(buffer: ReconBuffer) -> Tensor:
    """Acquired samples (LOC, S, N, 1, E2, E1, E0)."""
    headers = header_array(buffer.headers, ACQUISITION_HEADER)
    samples, pre, post, middle = (
        headers[name].astype(np.int32).T
        for name in ("number_of_samples", "discard_pre", "discard_post", "center_sample")
    )
    length = buffer.data.shape[0]
    acquired = samples > 0
    # A centre beyond the readout is stale; the readout then lies in the middle.
    middle = np.where(middle < samples, middle, samples // 2)
    # Whole readouts fill the buffer, wherever their centre is said to be.
    start = np.where(samples < length, _centre(buffer.sampling.sampling_limits[0], length) - middle, 0)
    begin, end = start + pre, start + samples - post
    if ((begin <= 0) & (end >= length))[acquired].all():
        lines = torch.from_numpy(acquired[:, :, :, None, :, :, None])
        return lines.expand(*lines.shape[:-1], length)
    k0 = np.arange(length)
    inside = (k0 >= begin[..., None]) & (k0 < end[..., None]) & acquired[..., None]
    return torch.from_numpy(inside[:, :, :, None])


def _centre(limit: object, length: int) -> int:
    """Where along an axis of a buffer the centre of k-space is; one that holds just what was sampled begins there."""
    centre: int = limit.center  # type: ignore[attr-defined]
    first, last = limit.min, limit.max  # type: ignore[attr-defined]
    if last - first + 1 == length:
        centre -= first
    return centre if 0 < centre < length else length // 2


def _placed(x: Tensor, centres: Sequence[int], matrix: Sequence[int]) -> Tensor:
    """The last three axes on `matrix`, with `centres` moved to its centre; cropped or padded with zeros."""
    out = x.new_zeros((*x.shape[:-3], *matrix))
    there: list[Any] = []
    here: list[Any] = []
    for length, centre, size in zip(x.shape[-3:], centres, matrix, strict=True):
        shift = size // 2 - centre
        low, high = max(0, shift), min(size, length + shift)
        there.append(slice(low, high))
        here.append(slice(low - shift, high - shift))
    out[(..., *there)] = x[(..., *here)]
    return out


def warm_torch() -> None:
    """Let torch make its helpers for the calling thread: something large enough to be shared among them."""
    torch.zeros(1 << 18).add_(1)
