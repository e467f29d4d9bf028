"""The end of a chain: only images reach the client, as Gadgetron's ImageFinishGadget."""

from __future__ import annotations

import logging
from collections import defaultdict

import ismrmrd

from gadgets.properties import gadget
from gadgets.stream.blocks import AcquisitionBlock
from gadgets.stream.connection import Connection

log = logging.getLogger(__name__)


@gadget
def image_finish(connection: Connection) -> None:
    """Pass images on, numbered; everything else ends here. images -> images.

    image_index counts from 1 and is unique within a series: an image keeps an index that is free, and is given the
    lowest free one otherwise. Clients know images alone; acquisitions, waveforms, recon data and texts that have come
    this far are dropped, and the log says how many of which.
    """
    taken: defaultdict[int, set[int]] = defaultdict(set)
    lowest: defaultdict[int, int] = defaultdict(lambda: 1)
    dropped: defaultdict[str, int] = defaultdict(int)
    for item in connection.blocks():
        if not isinstance(item, ismrmrd.Image):
            single = not isinstance(item, AcquisitionBlock)
            dropped[type(item).__name__ if single else "Acquisition"] += 1 if single else len(item)
            continue
        series = item.image_series_index
        if item.image_index == 0 or item.image_index in taken[series]:
            while lowest[series] in taken[series]:
                lowest[series] += 1
            item.image_index = lowest[series]
        taken[series].add(item.image_index)
        connection.send(item)
    for kind, count in dropped.items():
        log.info("%d items of type %s end here: clients take images", count, kind)
