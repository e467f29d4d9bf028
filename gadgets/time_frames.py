"""Frames of a series from readouts that simply go on."""

from __future__ import annotations

from collections import defaultdict

import ismrmrd
import numpy as np

from gadgets.properties import gadget
from gadgets.stream.blocks import AcquisitionBlock
from gadgets.stream.connection import Connection
from gadgets.stream.runs import AUXILIARY, any_flag

# What has frames of its own.
_APART = ("slice", "contrast", "set")
_NOT_COUNTED = (ismrmrd.ACQ_IS_NOISE_MEASUREMENT, *AUXILIARY)


@gadget
def time_frames(connection: Connection, *, readouts: int = 21) -> None:
    """Count every so many readouts as a repetition. acquisitions -> acquisitions.

    Golden-angle scans go on and on, and how many readouts make an image is decided afterwards: any successive ones
    cover all directions. Of each slice, contrast and set, readouts are numbered in the order in which they come: their
    kspace_encode_step_1 counts within a frame, their repetition is the frame. The last frame may have fewer. Noise
    acquisitions, navigators and the like, and other items pass unchanged.

    readouts: of a frame; Fibonacci numbers cover directions most evenly.

    Raises ValueError for less than one readout.
    Winkelmann et al., IEEE Trans Med Imaging 2007;26:68. doi:10.1109/TMI.2006.885337
    """
    if readouts < 1:
        raise ValueError(f"readouts is {readouts}, expected 1 or more")
    counts: defaultdict[tuple[int, ...], int] = defaultdict(int)
    for item in connection.blocks():
        connection.send(_numbered(item, readouts, counts) if isinstance(item, AcquisitionBlock) else item)


def _numbered(block: AcquisitionBlock, readouts: int, counts: defaultdict[tuple[int, ...], int]) -> AcquisitionBlock:
    """The block with its counters set."""
    headers = block.headers.copy()
    index = headers["idx"]
    rows = np.flatnonzero(~any_flag(headers, _NOT_COUNTED))
    keys = np.stack([headers["encoding_space_ref"], *(index[name] for name in _APART)], axis=1)[rows].astype(int)
    for key in np.unique(keys, axis=0):
        own = rows[(keys == key).all(axis=1)]
        number = counts[tuple(key.tolist())] + np.arange(len(own))
        counts[tuple(key.tolist())] += len(own)
        index["repetition"][own], index["kspace_encode_step_1"][own] = np.divmod(number, readouts)
    return AcquisitionBlock(headers, block.data, block.trajectory)
