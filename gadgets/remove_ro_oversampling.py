"""Crop acquisitions to the reconstructed field of view, as Gadgetron's RemoveROOversamplingGadget."""

from __future__ import annotations

import logging
from typing import Any

import ismrmrd
import numpy as np

from gadgets.mri.readout import crop_readout
from gadgets.properties import gadget
from gadgets.stream.blocks import AcquisitionBlock
from gadgets.stream.connection import Connection
from gadgets.stream.runs import runs

log = logging.getLogger(__name__)


@gadget
def remove_ro_oversampling(connection: Connection) -> None:
    """Crop the readout to the reconstructed field of view. acquisitions -> acquisitions.

    Of n samples, round(n * reconFOV.x / encodedFOV.x) remain, by the header of the acquisition's own encoding space:
    the central part of the inverse FFT, transformed back. center_sample, discard_pre and discard_post are scaled
    with it, rounded down. Passed unchanged: noise acquisitions, acquisitions with a trajectory (said once in the log),
    and those that are not oversampled.

    Raises ValueError for an acquisition of an encoding space that the header does not describe.
    """
    ratios = [_ratio(encoding) for encoding in connection.header.encoding]
    said = False
    for item in connection.blocks():
        if not isinstance(item, AcquisitionBlock):
            connection.send(item)
            continue
        if item.trajectory is not None:
            if not said:
                log.info("acquisitions with a trajectory keep their oversampling")
            said = True
            connection.send(item)
            continue
        noise = item.flagged(ismrmrd.ACQ_IS_NOISE_MEASUREMENT)
        for part in runs(noise, item.headers["encoding_space_ref"]):
            block = item[part]
            connection.send(block if noise[part.start] else _cropped(block, ratios))


def _ratio(encoding: Any) -> float:
    """Reconstructed over encoded field of view; 1 where the header gives none."""
    encoded, recon = encoding.encodedSpace.fieldOfView_mm.x, encoding.reconSpace.fieldOfView_mm.x
    return recon / encoded if encoded > 0 and recon > 0 else 1.0


def _cropped(block: AcquisitionBlock, ratios: list[float]) -> AcquisitionBlock:
    space = int(block.headers["encoding_space_ref"][0])
    if space >= len(ratios):
        counter = block.headers["scan_counter"][0]
        raise ValueError(f"acquisition {counter} is of encoding space {space}; the header describes {len(ratios)}")
    samples = block.data.shape[2]
    n = max(1, round(samples * ratios[space])) if samples else 0
    if n >= samples:
        return block
    cropped = block.with_data(crop_readout(block.data, n))
    for name in ("center_sample", "discard_pre", "discard_post"):
        cropped.headers[name] = block.headers[name].astype(np.uint32) * n // samples
    return cropped
