"""Coil sensitivities for the gadgets that follow.

Maps travel in the reference of each recon bit: ref.data holds csm in image space [X, Y, Z, CHA, N, S, LOC] on the
matrix of the data, and the flag ACQ_USER1 (57) is set in every one of its acquisition headers. Here N and S are 1: all
images of a slice share its maps. Such a reference passes the wire (message 1023) as any other does.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Literal

import torch
from gadgetron.types.recon_data import ReconBit, ReconBuffer, ReconData
from torch import Tensor

from gadgets.mri.calibration.inati import inati
from gadgets.mri.calibration.low_resolution import low_resolution
from gadgets.mri.calibration.nlinv import nlinv_maps
from gadgets.mri.calibration.sensitivities import sensitivities
from gadgets.mri.calibration.walsh import walsh
from gadgets.mri.kspace import KSpace
from gadgets.properties import gadget
from gadgets.receivers import receivers_of
from gadgets.resident import Resident
from gadgets.stream.connection import Connection
from gadgets.tensors import (
    References,
    brightness,
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

# Where ESPIRiT takes maps to be, if nothing is said.
_SUPPORT = 0.7


def _check(settings: Mapping[str, Any]) -> None:
    if settings["support"] is not None and settings["method"] != "espirit":
        raise ValueError(f"support is for method 'espirit'; maps of '{settings['method']}' go on beyond the object")


@gadget(check=_check)
def coil_sensitivities(
    connection: Connection,
    *,
    method: Literal["espirit", "walsh", "inati", "nlinv"] = "espirit",
    support: float | None = None,
) -> None:
    """Put sensitivity maps in the place of the reference. recon data -> recon data with maps.

    Maps are estimated slice by slice, from the first of these that there is: the reference that came with the slice, or
    alone before it; the maps that an earlier repetition of the slice had; the fully sampled centre of the data, which
    is looked for in what was acquired and not in the scan's header. Of several N and S of a reference, the first with
    lines serves for all.

    method: `espirit`, from the linear dependence of neighbouring samples. `walsh` and `inati`, the adaptive combination
    of coil images of low resolution, with the phase of a virtual coil and of the object. `nlinv`, image and maps
    together by nonlinear inversion: it needs no more than a few central lines or irregular sampling, and finds the maps
    by the data where the reference has fewer than 8 lines.

    support: for `espirit` (0 to 1, 0.7 if not given), where maps are 0: more of the image is kept the lower it is, 0
    keeps all. Maps of the other methods go on beyond the object.

    Squares of the maps sum to one over the channels or, where the stream says how the receivers follow from those
    (`describe_channels` of noise_adjust), over the receivers: the image is then as bright as without whitening.

    A reference that holds maps already is passed unchanged. Methods that calibrate anything but maps need the k-space
    of the reference: leave this gadget out before them.

    Raises ValueError, naming the slice, where there is nothing to calibrate from.

    espirit: Uecker et al., MRM 2014;71:990. doi:10.1002/mrm.24751
    walsh: Walsh et al., MRM 2000;43:682. doi:10.1002/(sici)1522-2594(200005)43:5<682::aid-mrm10>3.0.co;2-g
    inati: Inati, Hansen and Kellman, Proc ISMRM 2013;21:2672.
    nlinv: Uecker et al., MRM 2008;60:674. doi:10.1002/mrm.21691
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
            settings = (known, method, support, matrix)
            item = ReconData([_resident(_with_maps, bit, space, *settings) for space, bit in enumerate(bits)])
        connection.send(item)


def _with_maps(
    bit: ReconBit, space: int, known: Known, method: str, support: float | None, matrix: Tensor | None
) -> ReconBit:
    if not bit.data.data.size or holds_maps(bit.ref):
        return bit
    numbers = slices(bit.data)
    own = None if bit.ref is None or not bit.ref.data.size else reference(bit.ref, bit.data)
    found: list[Tensor | None] = []
    for loc, number in enumerate(numbers):
        found.append(None if number is None else _maps(bit.data, own, loc, (space, number), known, method, support))
    blank = next((torch.zeros_like(csm) for csm in found if csm is not None), None)
    if blank is None:
        return bit
    csm = torch.cat([blank if csm is None else csm for csm in found])
    if matrix is not None:
        csm = _over_receivers(csm, matrix)
    return ReconBit(bit.data, maps_buffer(csm, bit.data))


def _over_receivers(csm: Tensor, matrix: Tensor) -> Tensor:
    """Maps (*other, coil, z, y, x) with squares that sum to one over the receivers."""
    seen = brightness(csm, matrix, csm.shape[-4])
    return torch.where(seen > 0, csm / seen.clamp_min(torch.finfo(seen.dtype).tiny), csm)


def _maps(
    data: ReconBuffer,
    own: KSpace | None,
    loc: int,
    key: tuple[int, int],
    known: Known,
    method: str,
    support: float | None,
) -> Tensor:
    """Maps (1, 1, 1, CHA, z, y, x) of one slice."""
    earlier = known.get(key)
    referenced = own is not None and bool(own.mask[loc].any())
    if not referenced and earlier is not None and earlier.shape[3:] == tuple(data.data.shape[3::-1]):
        return earlier
    part = first_of_slice(own if own is not None and referenced else kspace(data), loc)
    if referenced and method == "nlinv" and not _dense(part):
        part, referenced = first_of_slice(kspace(data), loc), False
    try:
        csm = _estimated(part, method, support)
    except ValueError as error:
        source = "its reference" if referenced else "its own data (it has no reference)"
        raise ValueError(f"slice {key[1]} of encoding space {key[0]}, from {source}: {error}") from None
    log.info("slice %d of encoding space %d: maps from %s", *key[::-1], "the reference" if referenced else "the data")
    known[key] = csm
    return csm


def _estimated(part: KSpace, method: str, support: float | None) -> Tensor:
    if method == "nlinv":
        return nlinv_maps(part)
    require_calibration(part)
    if method == "espirit":
        return sensitivities(part, support=_SUPPORT if support is None else support)
    images = low_resolution(part)
    return inati(images) if method == "inati" else walsh(images)[0]


def _dense(part: KSpace) -> bool:
    """Whether the centre of k-space is sampled densely enough to calibrate from it alone."""
    try:
        require_calibration(part)
    except ValueError:
        return False
    return True
