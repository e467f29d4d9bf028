"""BUCKET (1050): the acquisitions of one trigger, imaging and reference apart, with statistics and waveforms."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import Any

import ismrmrd
import numpy as np
from gadgetron.types.acquisition_bucket import AcquisitionBucket, AcquisitionBucketStats

from .blocks import AcquisitionBlock, joined_headers
from .dtypes import ACQUISITION_HEADER, WAVEFORM_HEADER
from .errors import ProtocolError
from .ids import MessageId
from .limits import Limits
from .primitives import U16, U64, Array, Buffer, Reader, aligned, buffer_of, unsigned
from .waveform import SAMPLE as WAVEFORM_SAMPLE
from .waveform import make_waveform
from .waveform import payload as waveform_payload

META = struct.Struct("<13Q")
STATISTICS = (
    "kspace_encode_step_1",
    "kspace_encode_step_2",
    "slice",
    "phase",
    "contrast",
    "repetition",
    "set",
    "segment",
    "average",
)
SAMPLE = np.dtype("<c8")
FLOAT = np.dtype("<f4")


class Bucket(AcquisitionBucket):  # type: ignore[misc]
    """Gadgetron's bucket, holding blocks; its lists of acquisitions are made when somebody asks for them.

    data_blocks, ref_blocks: lists of AcquisitionBlock. Once `.data` or `.ref` was asked for, that list is what
    counts, so that gadgets that edit acquisitions in place are heard.
    """

    def __init__(
        self,
        data_blocks: Sequence[AcquisitionBlock],
        ref_blocks: Sequence[AcquisitionBlock] = (),
        waveforms: Iterable[ismrmrd.Waveform] = (),
        datastats: list[AcquisitionBucketStats] | None = None,
        refstats: list[AcquisitionBucketStats] | None = None,
    ):
        self._blocks = {"data": list(data_blocks), "ref": list(ref_blocks)}
        self._lists: dict[str, list[ismrmrd.Acquisition]] = {}
        self.waveforms = list(waveforms)
        self.datastats = statistics(self._blocks["data"]) if datastats is None else datastats
        self.refstats = statistics(self._blocks["ref"]) if refstats is None else refstats

    def _list(self, part: str) -> list[ismrmrd.Acquisition]:
        if part not in self._lists:
            self._lists[part] = [acquisition for block in self._blocks[part] for acquisition in block]
        return self._lists[part]

    @property
    def data(self) -> list[ismrmrd.Acquisition]:
        return self._list("data")

    @data.setter
    def data(self, acquisitions: list[ismrmrd.Acquisition]) -> None:
        self._lists["data"] = acquisitions

    @property
    def ref(self) -> list[ismrmrd.Acquisition]:
        return self._list("ref")

    @ref.setter
    def ref(self, acquisitions: list[ismrmrd.Acquisition]) -> None:
        self._lists["ref"] = acquisitions

    def blocks(self, part: str) -> list[AcquisitionBlock]:
        """The blocks of part `data` or `ref`."""
        if part in self._lists:
            return group(self._lists[part])
        return self._blocks[part]

    @property
    def data_blocks(self) -> list[AcquisitionBlock]:
        return self.blocks("data")

    @property
    def ref_blocks(self) -> list[AcquisitionBlock]:
        return self.blocks("ref")


def group(acquisitions: Sequence[ismrmrd.Acquisition]) -> list[AcquisitionBlock]:
    """Acquisitions as blocks: consecutive ones of one shape share a block."""
    blocks: list[AcquisitionBlock] = []
    run: list[ismrmrd.Acquisition] = []
    for acquisition in acquisitions:
        if run and (acquisition.data.shape, acquisition.traj.shape) != (run[0].data.shape, run[0].traj.shape):
            blocks.append(AcquisitionBlock.from_acquisitions(run))
            run = []
        run.append(acquisition)
    if run:
        blocks.append(AcquisitionBlock.from_acquisitions(run))
    return blocks


def statistics(blocks: Sequence[AcquisitionBlock]) -> list[AcquisitionBucketStats]:
    """For each encoding space, the sets of counter values that occur."""
    if not blocks:
        return []
    headers = joined_headers(blocks)
    spaces = range(int(headers["encoding_space_ref"].max()) + 1)
    return [
        AcquisitionBucketStats(
            **{
                name: set(np.unique(headers["idx"][name][headers["encoding_space_ref"] == space]).tolist())
                for name in STATISTICS
            }
        )
        for space in spaces
    ]


def read_bucket(limits: Limits) -> Reader[Bucket]:
    meta = META.unpack((yield META.size).tobytes())
    data = yield from _read_acquisitions(limits, meta[0:4], "bucket data")
    datastats = yield from _read_statistics(limits)
    ref = yield from _read_acquisitions(limits, meta[4:8], "bucket reference")
    refstats = yield from _read_statistics(limits)
    waveforms = yield from _read_waveforms(limits, meta[10:13])
    return Bucket(data, ref, waveforms, datastats, refstats)


def _read_acquisitions(limits: Limits, sizes: tuple[int, ...], what: str) -> Reader[list[AcquisitionBlock]]:
    count, header_bytes, data_bytes, trajectory_bytes = sizes
    limits.check("count", count, f"number of acquisitions in {what}")
    _expect(count * ACQUISITION_HEADER.itemsize, header_bytes, f"{what}: bytes of headers")
    headers = (yield header_bytes).view(ACQUISITION_HEADER)
    samples, channels, dimensions = (
        headers[name].astype(np.int64) for name in ("number_of_samples", "active_channels", "trajectory_dimensions")
    )
    _expect(4 * int((samples * dimensions).sum()), trajectory_bytes, f"{what}: bytes of trajectories")
    _expect(8 * int((samples * channels).sum()), data_bytes, f"{what}: bytes of data")
    limits.check("array", data_bytes, what)
    limits.check("array", trajectory_bytes, f"trajectories of {what}")
    trajectories = aligned((yield trajectory_bytes), FLOAT)
    data = aligned((yield data_bytes), SAMPLE)
    shapes = np.stack([samples, channels, dimensions], axis=1)
    edges = np.flatnonzero((shapes[1:] != shapes[:-1]).any(axis=1)) + 1
    blocks = []
    for run in np.split(np.arange(count), edges):
        if not len(run):
            continue
        n, s, c, d = len(run), int(samples[run[0]]), int(channels[run[0]]), int(dimensions[run[0]])
        values, data = data[: n * c * s].reshape(n, c, s), data[n * c * s :]
        path: Array | None = None
        if d:
            path, trajectories = trajectories[: n * s * d].reshape(n, s, d), trajectories[n * s * d :]
        blocks.append(AcquisitionBlock(headers[run[0] : run[-1] + 1], values, path))
    return blocks


def _read_statistics(limits: Limits) -> Reader[list[AcquisitionBucketStats]]:
    count = limits.check("count", (yield from unsigned(8)), "number of bucket statistics")
    found = []
    for _ in range(count):
        values: dict[str, Any] = {}
        for name in STATISTICS:
            n = limits.check("count", (yield from unsigned(8)), f"bucket statistics of {name}")
            values[name] = set((yield 2 * n).view("<u2").tolist())
        found.append(AcquisitionBucketStats(**values))
    return found


def _read_waveforms(limits: Limits, sizes: tuple[int, ...]) -> Reader[list[ismrmrd.Waveform]]:
    count, header_bytes, data_bytes = sizes
    limits.check("count", count, "number of waveforms in bucket")
    _expect(count * WAVEFORM_HEADER.itemsize, header_bytes, "bucket waveforms: bytes of headers")
    raw = (yield header_bytes).tobytes()
    size = WAVEFORM_HEADER.itemsize
    heads = [ismrmrd.WaveformHeader.from_buffer_copy(raw[i * size : (i + 1) * size]) for i in range(count)]
    _expect(4 * sum(h.channels * h.number_of_samples for h in heads), data_bytes, "bucket waveforms: bytes of data")
    limits.check("array", data_bytes, "bucket waveforms")
    data = aligned((yield data_bytes), WAVEFORM_SAMPLE)
    waveforms = []
    for head in heads:
        n = head.channels * head.number_of_samples
        waveforms.append(make_waveform(head, data[:n].reshape(head.channels, head.number_of_samples)))
        data = data[n:]
    return waveforms


def _expect(expected: int, found: int, what: str) -> None:
    if expected != found:
        raise ProtocolError(f"{what}: {found} announced, {expected} follow from the headers")


def write_bucket(bucket: AcquisitionBucket) -> list[Buffer]:
    blocks = {
        part: bucket.blocks(part) if isinstance(bucket, Bucket) else group(getattr(bucket, part) or [])
        for part in ("data", "ref")
    }
    stats = {"data": bucket.datastats, "ref": bucket.refstats}
    written = {part: _statistics(stats[part] or []) for part in blocks}
    waveforms = [waveform_payload(w) for w in bucket.waveforms or []]
    sizes = [size for part in blocks for size in _sizes(blocks[part])]
    waveform_bytes = sum(len(samples) for _, samples in waveforms)
    meta = META.pack(
        *sizes,
        len(written["data"]),
        len(written["ref"]),
        len(waveforms),
        len(waveforms) * WAVEFORM_HEADER.itemsize,
        waveform_bytes,
    )
    parts: list[Buffer] = [U16.pack(MessageId.BUCKET), meta]
    for part in ("data", "ref"):
        parts += [buffer_of(np.ascontiguousarray(b.headers)) for b in blocks[part]]
        parts += [buffer_of(np.array(b.trajectory, FLOAT, order="C")) for b in blocks[part] if b.trajectory is not None]
        parts += [buffer_of(np.array(b.data, SAMPLE, order="C")) for b in blocks[part]]
        parts.append(written[part])
    parts += [head for head, _ in waveforms]
    parts += [samples for _, samples in waveforms]
    return parts


def _sizes(blocks: Sequence[AcquisitionBlock]) -> tuple[int, int, int, int]:
    count = sum(len(b) for b in blocks)
    trajectory = sum(4 * b.trajectory.size for b in blocks if b.trajectory is not None)
    return count, count * ACQUISITION_HEADER.itemsize, sum(8 * b.data.size for b in blocks), trajectory


def _statistics(stats: Sequence[AcquisitionBucketStats]) -> bytes:
    out = [U64.pack(len(stats))]
    for space in stats:
        for name in STATISTICS:
            values = sorted(getattr(space, name))
            out += [U64.pack(len(values)), np.array(values, "<u2").tobytes()]
    return b"".join(out)
