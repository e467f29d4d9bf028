"""Gather acquisitions into buckets, as Gadgetron's AcquisitionAccumulateTriggerGadget."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from typing import Any, Literal

import ismrmrd
import numpy as np

from gadgets.properties import gadget
from gadgets.stream.blocks import AcquisitionBlock, joined_headers, merge
from gadgets.stream.bucket import Bucket
from gadgets.stream.connection import Connection
from gadgets.stream.runs import AUXILIARY, any_flag, runs

log = logging.getLogger(__name__)

Dimension = Literal[
    "", "none", "kspace_encode_step_1", "kspace_encode_step_2", "average", "slice", "contrast", "phase", "repetition",
    "set", "segment", "user_0", "user_1", "user_2", "user_3", "user_4", "user_5", "user_6", "user_7", "n_acquisitions",
]  # fmt: skip

_NOISE = (ismrmrd.ACQ_IS_NOISE_MEASUREMENT,)
_REFERENCE_ONLY = (ismrmrd.ACQ_IS_PARALLEL_CALIBRATION,)
_REFERENCE = (*_REFERENCE_ONLY, ismrmrd.ACQ_IS_PARALLEL_CALIBRATION_AND_IMAGING)
# The flag that ends each dimension that a scan loops over, besides LAST_IN_MEASUREMENT.
_LAST = {
    "average": ismrmrd.ACQ_LAST_IN_AVERAGE,
    "slice": ismrmrd.ACQ_LAST_IN_SLICE,
    "contrast": ismrmrd.ACQ_LAST_IN_CONTRAST,
    "phase": ismrmrd.ACQ_LAST_IN_PHASE,
    "repetition": ismrmrd.ACQ_LAST_IN_REPETITION,
    "set": ismrmrd.ACQ_LAST_IN_SET,
}
# Blocks smaller than this (bytes) are joined: copying them is cheaper than handling each.
_SMALL = 1 << 18


@gadget
def acquisition_accumulate_trigger(
    connection: Connection,
    *,
    trigger_dimension: Dimension = "",
    sorting_dimension: Dimension = "",
    n_acquisitions_before_trigger: int = 40,
    n_acquisitions_before_ongoing_trigger: int = 40,
    early: bool = True,
) -> None:
    """Sort acquisitions into buckets. acquisitions, waveforms -> buckets.

    Buckets are sent when the trigger dimension's index changes, before the acquisition that changes it is added, and
    at the end of the input; without a trigger dimension, then only. One bucket goes out for each index of the sorting
    dimension, in ascending order. The reference of a bucket holds the acquisitions with flags 20 and 21, its data all
    but those with flag 20. Waveforms go into the first bucket, or are sent on at the end where none follows.
    Noise acquisitions are dropped, and so are navigators, phase correction lines, dummy and feedback scans (the log
    counts them). Other items pass.

    trigger_dimension: `n_acquisitions` sends after a number of acquisitions (noise is not counted):
    n_acquisitions_before_trigger for the first time, n_acquisitions_before_ongoing_trigger from then on.
    early: send buckets already after an acquisition that is flagged as the last of the trigger dimension (or of the
    measurement), if by the header everything has come: data of every slice, contrast, phase, repetition, set and
    average within encodingLimits, for each as many different lines, and at least the lines within the limits divided
    by the acceleration. Then nothing waits for the next repetition to begin.

    Raises ValueError where an acquisition of an index follows that was sent early.
    """
    counts = (n_acquisitions_before_trigger, n_acquisitions_before_ongoing_trigger)
    if min(counts) < 1:
        raise ValueError(f"acquisitions before a trigger are {counts[0]} and {counts[1]}, expected 1 or more")
    accumulator = _Accumulator(connection.header, trigger_dimension, sorting_dimension, counts, early)
    for item in connection.blocks():
        if isinstance(item, AcquisitionBlock):
            for bucket in accumulator.take(item):
                connection.send(bucket)
        elif isinstance(item, ismrmrd.Waveform):
            accumulator.waveforms.append(item)
        else:
            connection.send(item)
    for bucket in accumulator.fire():
        connection.send(bucket)
    for waveform in accumulator.waveforms:
        connection.send(waveform)
    if accumulator.dropped:
        log.info("dropped: %s", ", ".join(f"{n} {kind}" for kind, n in accumulator.dropped.items()))


class _Accumulator:
    """The acquisitions since the last trigger, by sorting index."""

    def __init__(self, header: Any, trigger: Dimension, sorting: Dimension, counts: tuple[int, int], early: bool):
        self.header = header
        self.trigger, self.sorting = trigger, sorting
        self.remaining, self.ongoing = counts
        self.blocks: dict[int, list[AcquisitionBlock]] = {}
        self.waveforms: list[ismrmrd.Waveform] = []
        self.dropped: Counter[str] = Counter()
        self.index: int | None = None
        self.sent_early = False
        self.reference_seen = False
        self.ends: tuple[int, ...] = ()
        if early and trigger in (*_LAST, "", "none"):
            self.ends = (ismrmrd.ACQ_LAST_IN_MEASUREMENT, *([_LAST[trigger]] if trigger in _LAST else []))

    def take(self, block: AcquisitionBlock) -> Iterator[Bucket]:
        """Add acquisitions; give the buckets that go out meanwhile."""
        noise = any_flag(block.headers, _NOISE)
        if noise.any():
            self.dropped["noise"] += int(noise.sum())
            block = _chosen(block, ~noise)
        if self.trigger == "n_acquisitions":
            yield from self._by_number(block)
            return
        index = _index(block.headers, self.trigger)
        last = any_flag(block.headers, self.ends).astype(np.int64)
        for part in runs(index, np.cumsum(last) - last):
            value = int(index[part.start])
            if value != self.index:
                yield from self.fire()
            self.index = value
            self._add(block[part])
            if last[part.stop - 1] and self.blocks and self._complete():
                yield from self.fire()
                self.sent_early = True

    def _by_number(self, block: AcquisitionBlock) -> Iterator[Bucket]:
        while len(block):
            part, block = block[: self.remaining], block[self.remaining :]
            self._add(part)
            self.remaining -= len(part)
            if not self.remaining:
                yield from self.fire()
                self.remaining = self.ongoing

    def _add(self, block: AcquisitionBlock) -> None:
        auxiliary = any_flag(block.headers, AUXILIARY)
        if auxiliary.any():
            self.dropped["auxiliary"] += int(auxiliary.sum())
            block = _chosen(block, ~auxiliary)
        if not len(block):
            return
        if self.sent_early:
            what = f"{self.trigger} {self.index}" if self.trigger in _LAST else "the measurement"
            raise ValueError(
                f"acquisition {block.headers['scan_counter'][0]} belongs to {what}, which was complete by its flags "
                "and the header and is sent already; with early=false, nothing is sent before the index changes"
            )
        self.reference_seen = self.reference_seen or bool(any_flag(block.headers, _REFERENCE).any())
        sorting = _index(block.headers, self.sorting)
        for value in np.unique(sorting).tolist():
            self.blocks.setdefault(value, []).append(_chosen(block, sorting == value))

    def fire(self) -> Iterator[Bucket]:
        """The buckets of what has come, in ascending order of the sorting index."""
        blocks, self.blocks, self.sent_early = self.blocks, {}, False
        for value in sorted(blocks):
            joined = _joined(blocks[value])
            data = [_chosen(block, ~any_flag(block.headers, _REFERENCE_ONLY)) for block in joined]
            reference = [_chosen(block, any_flag(block.headers, _REFERENCE)) for block in joined]
            waveforms, self.waveforms = self.waveforms, []
            yield Bucket([b for b in data if len(b)], [b for b in reference if len(b)], waveforms)

    def _complete(self) -> bool:
        """Whether all that the header announces has come, as far as that can be told."""
        headers = joined_headers([block for group in self.blocks.values() for block in group])
        headers = headers[~any_flag(headers, _REFERENCE_ONLY)]
        loops = [name for name in _LAST if name != self.trigger]
        for space, encoding in enumerate(self.header.encoding):
            limits, lines = encoding.encodingLimits, _least_lines(encoding)
            if lines is None or (_needs_reference(encoding) and not self.reference_seen):
                return False
            found = headers["idx"][headers["encoding_space_ref"] == space]
            counters = [found[name] for name in (*loops, "kspace_encode_step_1", "kspace_encode_step_2")]
            different = np.unique(np.stack(counters, axis=1), axis=0)
            images, each = np.unique(different[:, : len(loops)], axis=0, return_counts=True)
            expected = 1
            for name in loops:
                limit = getattr(limits, name)
                expected *= limit.maximum - limit.minimum + 1 if limit else 1
            if len(images) != expected or each.min() != each.max() or each.min() < lines:
                return False
        return bool(self.header.encoding)


def _index(headers: Any, dimension: str) -> np.ndarray:
    """The counter (n,) that a dimension is named after; zeros for none."""
    if dimension in ("", "none", "n_acquisitions"):
        return np.zeros(len(headers), np.uint16)
    if dimension.startswith("user_"):
        return headers["idx"]["user"][:, int(dimension[-1])]
    return headers["idx"][dimension]


def _chosen(block: AcquisitionBlock, mask: np.ndarray) -> AcquisitionBlock:
    """Some acquisitions of a block; a view of it where they follow each other."""
    places = np.flatnonzero(mask)
    if len(places) and places[-1] - places[0] + 1 > len(places):
        return block[mask]
    return block[places[0] : places[-1] + 1] if len(places) else block[:0]


def _joined(blocks: list[AcquisitionBlock]) -> list[AcquisitionBlock]:
    """The same acquisitions in fewer blocks, where many are small."""
    groups: list[list[AcquisitionBlock]] = []
    for block in blocks:
        if groups and block.nbytes < _SMALL and groups[-1][-1].nbytes < _SMALL and groups[-1][-1].shape == block.shape:
            groups[-1].append(block)
        else:
            groups.append([block])
    return [merge(group) for group in groups]


def _least_lines(encoding: Any) -> int | None:
    """How many lines an image has at least; None where the header does not say."""
    limits, parallel = encoding.encodingLimits, encoding.parallelImaging
    lines = 1
    for name in ("kspace_encoding_step_1", "kspace_encoding_step_2"):
        limit = getattr(limits, name)
        if limit is None:
            if name.endswith("2") and encoding.encodedSpace.matrixSize.z == 1:
                continue
            return None
        acceleration = getattr(parallel.accelerationFactor, name) if parallel else 1
        lines *= -(-(limit.maximum - limit.minimum + 1) // max(acceleration, 1))
    return lines


def _needs_reference(encoding: Any) -> bool:
    """Whether calibration lines belong to the scan."""
    parallel = encoding.parallelImaging
    if parallel is None or parallel.calibrationMode is None:
        return False
    return parallel.calibrationMode.value in ("embedded", "separate", "external")
