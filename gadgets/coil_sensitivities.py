"""Coil sensitivities for the gadgets that follow.

Maps travel in the reference of each recon bit: ref.data holds csm in image space [X, Y, Z, CHA, N, S, LOC] on the
matrix of the data, and the flag ACQ_USER1 (57) is set in every one of its acquisition headers. Here N and S are 1: all
images of a slice share its maps. Such a reference passes the wire (message 1023) as any other does.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
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
from gadgets.recon_buffers import holds_maps, maps_buffer, slices
from gadgets.resident import Resident
from gadgets.stream.connection import Connection
from gadgets.tensors import (
    References,
    average_of_slice,
    first_of_slice,
    kspace,
    over_receivers,
    reference,
    require_calibration,
    warm_torch,
)
from gadgets.trajectory import image_matrix, require_trajectory

log = logging.getLogger(__name__)

_resident = Resident("coil_sensitivities", warm_torch)

Known = dict[tuple[int, int], Tensor]

# Where ESPIRiT takes maps to be, if nothing is said.
_SUPPORT = 0.8


@dataclass(frozen=True, kw_only=True)
class _Settings:
    method: str
    support: float | None
    sets: int
    soft: bool
    average: bool

    def one_of(self, whole: KSpace, loc: int) -> KSpace:
        """What calibrates a slice, of all its N and S."""
        return (average_of_slice if self.average else first_of_slice)(whole, loc)


def _check(properties: Mapping[str, Any]) -> None:
    method, given = properties["method"], {"support": None, "sets": 1, "soft": False}
    for name, default in given.items():
        if method != "espirit" and properties[name] != default:
            raise ValueError(f"{name} is for method 'espirit'; maps of '{method}' are one set, beyond the object too")
    if properties["sets"] < 1:
        raise ValueError(f"sets is {properties['sets']}, expected 1 or more")


@gadget(check=_check)
def coil_sensitivities(
    connection: Connection,
    *,
    method: Literal["espirit", "walsh", "inati", "nlinv"] = "espirit",
    support: float | None = None,
    sets: int = 1,
    soft: bool = False,
    average: bool = False,
) -> None:
    """Put sensitivity maps in the place of the reference. recon data -> recon data with maps.

    Maps are estimated slice by slice, from the first of these that there is: the reference that came with the slice, or
    alone before it; the maps that an earlier repetition of the slice had; the fully sampled centre of the data, which
    is looked for in what was acquired and not in the scan's header. Of several N and S, the first with lines serves
    for all.

    method: `espirit`, from the linear dependence of neighbouring samples. `walsh` and `inati`, the adaptive combination
    of coil images of low resolution, with the phase of a virtual coil and of the object. `nlinv`, image and maps
    together by nonlinear inversion: it needs no more than a few central lines or irregular sampling, and finds the maps
    by the data where the reference has fewer than 8 lines.

    For `espirit`: support (0 to 1, 0.8 if not given) sets where maps are 0: more of the image is kept the lower it is,
    0 keeps all. sets: how many maps each coil has at a point, two where an object larger than the field of view folds
    onto itself; the method of `reconstruct` must be told of as many. soft: maps fade out instead of ending. Maps of the
    other methods are one set, and go on beyond the object.

    average: each line of k-space is the mean of all N that have it, in place of the first N, for series whose frames
    have other lines each. The data serve where the reference has fewer than 8 lines: together, frames have more.

    Squares of the maps sum to one over the channels or, where the stream says how the receivers follow from those
    (`describe_channels` of noise_adjust), over the receivers: the image is then as bright as without whitening.

    A reference that holds maps already is passed unchanged. Methods that calibrate anything but maps need the k-space
    of the reference: leave this gadget out before them.

    Along a trajectory, maps are on the reconstructed matrix, and readouts of all N and S serve together.

    Raises ValueError, naming the slice, where there is nothing to calibrate from, and for an encoding space that is on
    no grid and whose acquisitions have no trajectory.

    espirit: Uecker et al., MRM 2014;71:990. doi:10.1002/mrm.24751
    walsh: Walsh et al., MRM 2000;43:682. doi:10.1002/(sici)1522-2594(200005)43:5<682::aid-mrm10>3.0.co;2-g
    inati: Inati, Hansen and Kellman, Proc ISMRM 2013;21:2672.
    nlinv: Uecker et al., MRM 2008;60:674. doi:10.1002/mrm.21691
    """
    settings = _Settings(method=method, support=support, sets=sets, soft=soft, average=average)
    known: Known = {}
    references = References()
    matrix: Tensor | None = None
    for item in connection.blocks():
        if (found := receivers_of(item)) is not None:
            matrix = torch.from_numpy(found)
            continue
        if isinstance(item, ReconData):
            bits = [references.complete(bit, space) for space, bit in enumerate(item.bits)]
            for space, bit in enumerate(bits):
                if bit.data.data.size:
                    require_trajectory(connection.header, space, bit.data)
            item = ReconData(
                [_resident(_with_maps, bit, space, known, settings, matrix) for space, bit in enumerate(bits)]
            )
        connection.send(item)


def _with_maps(bit: ReconBit, space: int, known: Known, settings: _Settings, matrix: Tensor | None) -> ReconBit:
    if not bit.data.data.size or holds_maps(bit.ref):
        return bit
    numbers = slices(bit.data)
    own = None if bit.ref is None or not bit.ref.data.size else reference(bit.ref, bit.data)
    found: list[Tensor | None] = []
    for loc, number in enumerate(numbers):
        found.append(None if number is None else _maps(bit.data, own, loc, (space, number), known, settings))
    blank = next((torch.zeros_like(csm) for csm in found if csm is not None), None)
    if blank is None:
        return bit
    csm = torch.cat([blank if csm is None else csm for csm in found])
    if matrix is not None:
        csm = over_receivers(csm, matrix, settings.sets)
    return ReconBit(bit.data, maps_buffer(csm.cpu().numpy(), bit.data))


def _maps(
    data: ReconBuffer,
    own: KSpace | None,
    loc: int,
    key: tuple[int, int],
    known: Known,
    settings: _Settings,
) -> Tensor:
    """Maps (1, 1, 1, set * CHA, z, y, x) of one slice."""
    earlier = known.get(key)
    referenced = own is not None and bool(own.mask[loc].any())
    if not referenced and earlier is not None and earlier.shape[3:] == _coil_images(data, settings.sets):
        return earlier
    source = "its reference" if referenced else "its own data (it has no reference)"
    part = settings.one_of(own if own is not None and referenced else kspace(data), loc)
    if referenced and (settings.method == "nlinv" or settings.average) and not _dense(part):
        part, source = settings.one_of(kspace(data), loc), "its own data (its reference has too few lines)"
    try:
        csm = _estimated(part, settings)
    except ValueError as error:
        raise ValueError(f"slice {key[1]} of encoding space {key[0]}, from {source}: {error}") from None
    log.info("slice %d of encoding space %d: maps from %s", *key[::-1], source)
    known[key] = csm
    return csm


def _coil_images(data: ReconBuffer, sets: int) -> tuple[int, ...]:
    """The shape (set * CHA, z, y, x) of the maps of a buffer."""
    channels, *matrix = data.data.shape[3::-1]
    return (sets * channels, *(matrix if data.trajectory is None else image_matrix(data.sampling)))


def _estimated(part: KSpace, settings: _Settings) -> Tensor:
    if settings.method == "nlinv":
        return nlinv_maps(part)
    require_calibration(part)
    if settings.method == "espirit":
        support = _SUPPORT if settings.support is None else settings.support
        return sensitivities(part, support=support, sets=settings.sets, soft=settings.soft)
    images = low_resolution(part)
    return inati(images) if settings.method == "inati" else walsh(images)[0]


def _dense(part: KSpace) -> bool:
    """Whether the centre of k-space is sampled densely enough to calibrate from it alone."""
    try:
        require_calibration(part)
    except ValueError:
        return False
    return True
