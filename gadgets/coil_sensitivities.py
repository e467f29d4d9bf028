"""Coil sensitivities for the gadgets that follow.

Maps travel in the reference of each recon bit: ref.data holds csm in image space [X, Y, Z, CHA, N, S, LOC] on the
matrix of the data, and the flag ACQ_USER1 (57) is set in every one of its acquisition headers. Here N and S are 1: all
images of a slice share its maps. Such a reference passes the wire (message 1023) as any other does.
"""

from __future__ import annotations

import logging

import torch
from gadgetron.types.recon_data import ReconBit, ReconBuffer, ReconData
from torch import Tensor

from gadgets.mri.calibration.sensitivities import sensitivities
from gadgets.mri.kspace import KSpace
from gadgets.properties import gadget
from gadgets.receivers import receivers_of
from gadgets.resident import Resident
from gadgets.stream.connection import Connection
from gadgets.tensors import (
    References,
    first_of_slice,
    holds_maps,
    kspace,
    maps_buffer,
    reference,
    require_calibration,
    slices,
    warm_torch,
)

log = logging.getLogger(__name__)

_resident = Resident("coil_sensitivities", warm_torch)

Known = dict[tuple[int, int], Tensor]


@gadget
def coil_sensitivities(connection: Connection, *, support: float = 0.7) -> None:
    """Put sensitivity maps in the place of the reference. recon data -> recon data with maps.

    Maps are estimated slice by slice, from the first of these that there is: the reference that came with the slice, or
    alone before it; the maps that an earlier repetition of the slice had; the fully sampled centre of the data, which
    is looked for in what was acquired and not in the scan's header. Of several N and S of a reference, the first with
    lines serves for all. `support` (0 to 1) sets where maps are 0: more of the image is kept the lower it is, 0 keeps
    all.

    Squares of the maps sum to one over the channels or, where the stream says how the receivers follow from those
    (`describe_channels` of noise_adjust), over the receivers: the image is then as bright as without whitening.

    A reference that holds maps already is passed unchanged. Methods that calibrate anything but maps need the k-space
    of the reference: leave this gadget out before them.

    Raises ValueError, naming the slice, where there is nothing to calibrate from.
    """
    known: Known = {}
    references = References()
    matrix: Tensor | None = None
    for item in connection.blocks():
        if (found := receivers_of(item)) is not None:
            matrix = torch.from_numpy(found)
            continue
        if isinstance(item, ReconData):
            bits = [references.complete(bit, space) for space, bit in enumerate(item.bits)]
            settings = (known, support, matrix)
            item = ReconData([_resident(_with_maps, bit, space, *settings) for space, bit in enumerate(bits)])
        connection.send(item)


def _with_maps(bit: ReconBit, space: int, known: Known, support: float, matrix: Tensor | None) -> ReconBit:
    if not bit.data.data.size or holds_maps(bit.ref):
        return bit
    numbers = slices(bit.data)
    own = None if bit.ref is None or not bit.ref.data.size else reference(bit.ref, bit.data)
    found: list[Tensor | None] = []
    for loc, number in enumerate(numbers):
        found.append(None if number is None else _maps(bit.data, own, loc, (space, number), known, support))
    blank = next((torch.zeros_like(csm) for csm in found if csm is not None), None)
    if blank is None:
        return bit
    csm = torch.cat([blank if csm is None else csm for csm in found])
    if matrix is not None:
        csm = _over_receivers(csm, matrix)
    return ReconBit(bit.data, maps_buffer(csm, bit.data))


def _over_receivers(csm: Tensor, matrix: Tensor) -> Tensor:
    """Maps (*other, coil, z, y, x) with squares that sum to one over the receivers.

    matrix: (receiver, coil), or (x, receiver, coil) where it is another one at each place along the readout.
    """
    if matrix.shape[-1] != csm.shape[-4]:
        raise ValueError(f"the stream describes {matrix.shape[-1]} channels, the data have {csm.shape[-4]}")
    if matrix.ndim == 3 and len(matrix) != csm.shape[-1]:
        raise ValueError(
            f"the stream describes channels at {len(matrix)} places along the readout, the data have {csm.shape[-1]}: "
            "coil_compression by gcc belongs behind gadgets that change the readout"
        )
    seen = torch.einsum("rc,...czyx->...rzyx" if matrix.ndim == 2 else "xrc,...czyx->...rzyx", matrix, csm)
    brightness = torch.linalg.vector_norm(seen, dim=-4, keepdim=True)
    return torch.where(brightness > 0, csm / brightness.clamp_min(torch.finfo(brightness.dtype).tiny), csm)


def _maps(
    data: ReconBuffer, own: KSpace | None, loc: int, key: tuple[int, int], known: Known, support: float
) -> Tensor:
    """Maps (1, 1, 1, CHA, z, y, x) of one slice."""
    earlier = known.get(key)
    referenced = own is not None and bool(own.mask[loc].any())
    if not referenced and earlier is not None and earlier.shape[3:] == tuple(data.data.shape[3::-1]):
        return earlier
    part = first_of_slice(own if own is not None and referenced else kspace(data), loc)
    try:
        require_calibration(part)
        csm = sensitivities(part, support=support)
    except ValueError as error:
        source = "its reference" if referenced else "its own data (it has no reference)"
        raise ValueError(f"slice {key[1]} of encoding space {key[0]}, from {source}: {error}") from None
    log.info("slice %d of encoding space %d: maps from %s", *key[::-1], "the reference" if referenced else "the data")
    known[key] = csm
    return csm
