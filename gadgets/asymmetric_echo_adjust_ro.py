"""Bring the centre of asymmetric echoes to the middle, as Gadgetron's AsymmetricEchoAdjustROGadget."""

from __future__ import annotations

import logging

import ismrmrd

from gadgets.mri.readout import centre_readout
from gadgets.properties import gadget
from gadgets.stream.blocks import AcquisitionBlock
from gadgets.stream.connection import Connection
from gadgets.stream.runs import runs

log = logging.getLogger(__name__)


@gadget
def asymmetric_echo_adjust_ro(connection: Connection) -> None:
    """Pad asymmetric echoes with zeros to the encoded matrix. acquisitions -> acquisitions.

    An acquisition shorter than encodedSpace.matrixSize.x, whose center_sample is not its middle, is placed so that the
    centre of k-space is at matrixSize.x // 2; center_sample and number_of_samples follow, and discard_pre and
    discard_post count the zeros. Where the samples do not fit so, they are moved to the edge that they cross, as
    Gadgetron does, and a warning says by how much. A center_sample beyond the acquisition is stale: it is said once,
    and set to the middle. Noise acquisitions and acquisitions with a trajectory pass unchanged.

    Raises ValueError for an acquisition of an encoding space that the header does not describe.
    """
    matrices = [encoding.encodedSpace.matrixSize.x for encoding in connection.header.encoding]
    said: set[str] = set()
    for item in connection.blocks():
        if not isinstance(item, AcquisitionBlock) or item.trajectory is not None:
            connection.send(item)
            continue
        noise = item.flagged(ismrmrd.ACQ_IS_NOISE_MEASUREMENT)
        for part in runs(noise, item.headers["encoding_space_ref"], item.headers["center_sample"]):
            block = item[part]
            connection.send(block if noise[part.start] else _adjusted(block, matrices, said))


def _adjusted(block: AcquisitionBlock, matrices: list[int], said: set[str]) -> AcquisitionBlock:
    """The acquisitions of `block`, which share encoding space and center_sample, on the encoded matrix."""
    first = block.headers[0]
    space, centre, samples = int(first["encoding_space_ref"]), int(first["center_sample"]), block.data.shape[2]
    if space >= len(matrices):
        raise ValueError(
            f"acquisition {first['scan_counter']} is of encoding space {space}; the header describes {len(matrices)}"
        )
    if centre >= samples:
        if "stale" not in said:
            log.warning(
                "acquisition %d has center_sample %d of %d samples; taken for the middle",
                first["scan_counter"], centre, samples,
            )  # fmt: skip
        said.add("stale")
        stale = block.with_data(block.data)
        stale.headers["center_sample"] = samples // 2
        return stale
    matrix = matrices[space]
    if samples >= matrix or 2 * centre == samples or centre == samples // 2:
        return block
    wanted = matrix // 2 - centre
    before = min(max(wanted, 0), matrix - samples)
    if before != wanted and "moved" not in said:
        log.warning(
            "acquisition %d, %d samples with their centre at %d, does not fit the encoded matrix of %d: "
            "its centre is off by %d samples", first["scan_counter"], samples, centre, matrix, before - wanted,
        )  # fmt: skip
        said.add("moved")
    adjusted = block.with_data(centre_readout(block.data, matrix // 2 - before, matrix))
    adjusted.headers["center_sample"] = matrix // 2
    adjusted.headers["discard_pre"] += before
    adjusted.headers["discard_post"] += matrix - samples - before
    return adjusted
