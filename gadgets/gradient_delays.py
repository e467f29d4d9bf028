"""Trajectories of radial scans as they were, with the delays of the gradients."""

from __future__ import annotations

import copy
import logging

import numpy as np
from gadgetron.types.recon_data import ReconBit, ReconBuffer, ReconData
from torch import Tensor

from gadgets.mri.calibration.ring import ring, shifted
from gadgets.properties import gadget
from gadgets.recon_buffers import slices
from gadgets.resident import Resident
from gadgets.stream.connection import Connection
from gadgets.tensors import first_of_slice, kspace, warm_torch
from gadgets.trajectory import factors, places_of, require_trajectory

log = logging.getLogger(__name__)

_resident = Resident("gradient_delays", warm_torch)

Known = dict[tuple[int, int], Tensor]


@gadget
def gradient_delays(connection: Connection) -> None:
    """Correct the trajectories of radial scans for gradient delays. recon data -> recon data.

    Delays and cross terms of the gradients shift each spoke a little, along itself and sideways, which blurs and shades
    images. Where spokes meet tells by how much: RING estimates an ellipse from the first recon data of each slice, all
    N and S together, and the slice's trajectories are moved by it from then on. The log says by how much. Encoding
    spaces on a grid pass unchanged.

    Raises ValueError, naming the slice, for trajectories that are not made of spokes, for spokes that meet at random,
    for fields of view that differ along x and y, and for an encoding space that is on no grid and whose acquisitions
    have no trajectory.
    Rosenzweig, Holme and Uecker, MRM 2019;81:1898. doi:10.1002/mrm.27506
    """
    known: Known = {}
    for item in connection.blocks():
        if isinstance(item, ReconData):
            for space, bit in enumerate(item.bits):
                if bit.data.data.size:
                    require_trajectory(connection.header, space, bit.data)
            item = ReconData([_resident(_corrected, bit, space, known) for space, bit in enumerate(item.bits)])
        connection.send(item)


def _corrected(bit: ReconBit, space: int, known: Known) -> ReconBit:
    if not bit.data.data.size or bit.data.trajectory is None:
        return bit
    return ReconBit(_moved(bit.data, space, known), bit.ref)


def _moved(buffer: ReconBuffer, space: int, known: Known) -> ReconBuffer:
    """The buffer with another trajectory."""
    field = buffer.sampling.recon_FOV
    if field[0] != field[1]:
        raise ValueError(f"gradient delays need a field of view that is square; it is {field[0]:g} x {field[1]:g} mm")
    whole, units = kspace(buffer), factors(buffer)
    trajectory = np.array(buffer.trajectory)
    places = places_of(buffer)
    for loc, number in enumerate(slices(buffer)):
        if number is None:
            continue
        key = (space, number)
        if key not in known:
            try:
                known[key] = ring(first_of_slice(whole, loc)).reshape(3)
            except ValueError as error:
                raise ValueError(f"slice {number} of encoding space {space}: {error}") from None
            yy, xx, xy = known[key].tolist()
            log.info("slice %d: spokes are shifted by x %.2f, y %.2f, xy %.2f cycles per field of view",
                     number, xx, yy, xy)  # fmt: skip
        own = places[loc if len(places) > 1 else 0]
        move = (shifted(own, known[key]) - own).expand(*buffer.trajectory.shape[5:3:-1], *own.shape[2:]).numpy()
        for component in range(2):
            # From (S, N, component z y x, E2, E1, E0) to [component, E0, E1, E2, N, S].
            trajectory[component, ..., loc] += move[:, :, 2 - component].T / units[component]
    made = copy.copy(buffer)
    made.trajectory = trajectory
    return made
