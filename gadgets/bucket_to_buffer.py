"""Sort buckets into k-space arrays, as Gadgetron's BucketToBufferGadget."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import Any, Literal

import numpy as np
from gadgetron.types.acquisition_bucket import AcquisitionBucket
from gadgetron.types.recon_data import ReconBit, ReconBuffer, ReconData, SamplingDescription

from gadgets.encoding_grid import Axis, Readout, is_gridded, phase_axis, readout, sampling
from gadgets.properties import gadget
from gadgets.recycled import Recycled
from gadgets.stream.blocks import AcquisitionBlock, joined_headers
from gadgets.stream.bucket import Bucket, group
from gadgets.stream.connection import Connection
from gadgets.stream.dtypes import ACQUISITION_HEADER
from gadgets.stream.headers import zeros

log = logging.getLogger(__name__)

Dimension = Literal["", "none", "average", "contrast", "phase", "repetition", "set", "segment"]
# What buffers are told apart by, in the order in which they are sent.
_KEY = ("average", "slice", "contrast", "phase", "repetition", "set", "segment")
Key = tuple[int, ...]


def _check(settings: Mapping[str, Any]) -> None:
    n, s = settings["N_dimension"], settings["S_dimension"]
    if n == s and n not in ("", "none"):
        raise ValueError(f"N_dimension and S_dimension are both {n}")


@gadget(check=_check)
def bucket_to_buffer(
    connection: Connection,
    *,
    N_dimension: Dimension = "",  # noqa: N803 - Gadgetron's name
    S_dimension: Dimension = "",  # noqa: N803
    split_slices: bool = False,
    ignore_segment: bool = False,
    verbose: bool = False,
) -> None:
    """Sort the acquisitions of buckets into arrays [E0, E1, E2, CHA, N, S, LOC]. buckets -> recon data, waveforms.

    One recon data for each combination of average, slice, contrast, phase, repetition, set and segment that is not an
    axis of the array, in that order; in it one bit for each encoding space, empty where there is none of it, with data
    and reference apart. Waveforms of a bucket go ahead of its recon data. Other items pass.

    Cartesian (and EPI) lines lie on the grid of the encoded matrix, zero where nothing was acquired, so that the centre
    of the encodingLimits is at its middle: partial Fourier and asymmetric limits need nothing further. An acquisition
    shorter than the encoded readout is placed by its center_sample; samples in discard_pre and discard_post stay zero.
    A reference acquired apart (calibrationMode separate or external) has only the lines of its own range. Acquisitions
    along a trajectory lie in the order of their indices, and the trajectory beside them; on a grid, it is left out. Of
    acquisitions with the same indices, the last stays, and a warning says so: averages are kept apart, by the key or
    along N or S.

    N_dimension, S_dimension: the counters that are the axes N and S, from the lowest that occurs in the bucket.
    split_slices: slices apart, instead of along LOC. ignore_segment: segments together. verbose: log the sizes.

    Raises ValueError, naming the acquisition by its scan_counter, for indices outside the grid, encoding spaces that
    the header does not describe, a number of channels or samples that changes within the scan, samples that do not fit
    the readout, and data that are NaN or infinite.
    """
    sorter = _Sorter(connection.header, N_dimension, S_dimension, split_slices, ignore_segment)
    for item in connection.blocks():
        if not isinstance(item, AcquisitionBucket):
            connection.send(item)
            continue
        for waveform in item.waveforms or ():
            connection.send(waveform)
        for recon in sorter.sort(item):
            if verbose:
                log.info("recon data of %s", [(bit.data.data.shape, bit.ref and bit.ref.data.shape) for bit in recon])
            connection.send(recon)


class _Lines:
    """The acquisitions of one part of a bucket: blocks, and what their headers say."""

    def __init__(self, blocks: list[AcquisitionBlock]):
        self.blocks = blocks
        self.starts = np.cumsum([0, *map(len, blocks)])
        self.headers = joined_headers(blocks)
        self.index = self.headers["idx"]
        self.space = self.headers["encoding_space_ref"]
        shapes = np.repeat([block.shape for block in blocks], [len(block) for block in blocks], axis=0)
        self.channels, self.samples, self.dimensions = shapes.T

    def counter(self, row: int) -> int:
        return int(self.headers["scan_counter"][row])

    def places(self, rows: np.ndarray, name: str, axis: Axis) -> np.ndarray:
        """Places along an axis of phase encoding. Raises ValueError for one outside of it."""
        index = self.index[name][rows].astype(np.intp)
        places = index + axis.shift
        outside = np.flatnonzero((places < 0) | (places >= axis.size))
        if len(outside):
            first = outside[0]
            raise ValueError(
                f"acquisition {self.counter(rows[first])} has {name} {index[first]}, which is line {places[first]} "
                f"of a matrix of {axis.size}"
            )
        return places


class _Sorter:
    """How the acquisitions of a scan are sorted, and what is the same in all of them."""

    def __init__(self, header: Any, n: str, s: str, split_slices: bool, ignore_segment: bool):
        self.encodings = header.encoding
        self.n, self.s = n, s
        self.split_slices = split_slices
        together = {n, s} | ({"segment"} if ignore_segment else set()) | (set() if split_slices else {"slice"})
        self.apart = [name for name in _KEY if name not in together]
        self.sizes: dict[tuple[int, str], int] = {}
        self.said: set[str] = set()
        self.memory = Recycled()

    def sort(self, bucket: AcquisitionBucket) -> Iterator[ReconData]:
        """The recon data of a bucket."""
        parts = {}
        for part in ("data", "ref"):
            blocks = bucket.blocks(part) if isinstance(bucket, Bucket) else group(getattr(bucket, part) or [])
            if blocks:
                parts[part] = _Lines(blocks)
        made: dict[Key, dict[tuple[int, str], ReconBuffer]] = {}
        for part, lines in parts.items():
            for space in np.unique(lines.space).tolist():
                rows = np.flatnonzero(lines.space == space)
                if space >= len(self.encodings):
                    raise ValueError(
                        f"acquisition {lines.counter(rows[0])} is of encoding space {space}; "
                        f"the header describes {len(self.encodings)}"
                    )
                slices = np.concatenate([other.index["slice"][other.space == space] for other in parts.values()])
                for key, buffer in self._buffers(lines, rows, part == "ref", slices):
                    made.setdefault(key, {})[space, part] = buffer
        for key in sorted(made):
            found = made[key]
            spaces = range(max(space for space, _ in found) + 1)
            yield ReconData([ReconBit(found.get((e, "data")) or _empty(), found.get((e, "ref"))) for e in spaces])

    def _buffers(
        self, lines: _Lines, rows: np.ndarray, reference: bool, slices: np.ndarray
    ) -> Iterator[tuple[Key, ReconBuffer]]:
        """The buffers of the acquisitions `rows`, which are of one encoding space, by key."""
        space, index = int(lines.space[rows[0]]), lines.index[rows]
        encoding, what = self.encodings[space], "reference " if reference else ""
        channels = self._same(lines, rows, lines.channels[rows], (space, "channels"))
        axes = {f"e{i}": phase_axis(encoding, i, index[f"kspace_encode_step_{i}"], reference) for i in (2, 1)}
        places = {
            "loc": np.zeros(len(rows), np.intp) if self.split_slices else index["slice"].astype(np.intp) - slices.min(),
            "s": _from_lowest(index, self.s),
            "n": _from_lowest(index, self.n),
        } | {name: lines.places(rows, f"kspace_encode_step_{name[1]}", axis) for name, axis in axes.items()}
        extent = [1 if self.split_slices else int(slices.max()) - int(slices.min()) + 1]
        extent += [int(places["s"].max()) + 1, int(places["n"].max()) + 1, axes["e2"].size, axes["e1"].size]
        readouts, readout_of = self._readouts(lines, rows, encoding)
        sizes = np.array([each.size for each in readouts])[readout_of]
        size = self._same(lines, rows, sizes, (space, f"{what}samples"))
        dimensions = self._same(lines, rows, lines.dimensions[rows], (space, f"{what}trajectory dimensions"))
        dimensions = 0 if is_gridded(encoding) else dimensions
        keys, key_of = _different([index[name] for name in self.apart], len(rows))
        description = sampling(encoding, readouts, axes["e1"], axes["e2"])
        buffers = [_Buffer(extent, channels, size, dimensions, self.memory) for _ in keys]
        for b, block in enumerate(lines.blocks):
            low, high = np.searchsorted(rows, lines.starts[b : b + 2])
            together = key_of[low:high] * len(readouts) + readout_of[low:high]
            for each in np.unique(together).tolist():
                chosen = low + np.flatnonzero(together == each)
                at = tuple(place[chosen] for place in places.values())
                part = block if len(chosen) == len(block) else block[rows[chosen] - lines.starts[b]]
                buffers[each // len(readouts)].put(at, part, readouts[each % len(readouts)])
        for key, buffer in zip(keys, buffers, strict=True):
            if not buffer.is_finite():
                _refuse(lines.blocks)
            if buffer.overwritten:
                self._warn("twice", "%d acquisitions had the same indices as others, which they replace",
                           buffer.overwritten)  # fmt: skip
            values = dict(zip(self.apart, key, strict=True))
            yield tuple(values.get(name, 0) for name in _KEY), buffer.recon_buffer(description)

    def _readouts(self, lines: _Lines, rows: np.ndarray, encoding: Any) -> tuple[list[Readout], np.ndarray]:
        """The different ways in which samples are placed, and which of them holds for each of `rows`."""
        headers, samples = lines.headers[rows], lines.samples[rows]
        centre = headers["center_sample"].astype(np.intp)
        stale = centre >= samples
        if stale.any():
            first = np.flatnonzero(stale)[0]
            self._warn("stale", "acquisition %d has center_sample %d of %d samples; taken for the middle",
                       lines.counter(rows[first]), centre[first], samples[first])  # fmt: skip
            centre = np.where(stale, samples // 2, centre)
        columns = [samples, centre, headers["discard_pre"], headers["discard_post"]]
        kinds, kind_of = _different(columns, len(rows))
        readouts = []
        for number, kind in enumerate(kinds):
            try:
                readouts.append(readout(encoding, *kind))
            except ValueError as error:
                first = np.flatnonzero(kind_of == number)[0]
                raise ValueError(f"acquisition {lines.counter(rows[first])}: {error}") from None
        return readouts, kind_of

    def _same(self, lines: _Lines, rows: np.ndarray, values: np.ndarray, what: tuple[int, str]) -> int:
        """The one value that all acquisitions of the scan share."""
        expected = self.sizes.setdefault(what, int(values[0]))
        differs = np.flatnonzero(values != expected)
        if len(differs):
            raise ValueError(
                f"acquisition {lines.counter(rows[differs[0]])} has {values[differs[0]]} {what[1]}; "
                f"the ones before it in encoding space {what[0]} have {expected}"
            )
        return expected

    def _warn(self, key: str, text: str, *values: object) -> None:
        """Say it once."""
        if key not in self.said:
            log.warning(text, *values)
        self.said.add(key)


class _Buffer:
    """Arrays in the order (LOC, S, N, CHA, E2, E1, E0), which transposed is Gadgetron's."""

    def __init__(self, extent: list[int], channels: int, size: int, dimensions: int, memory: Recycled):
        self.data = memory.zeros((*extent[:3], channels, *extent[3:], size), np.complex64)
        self.trajectory = np.zeros((*extent, size, dimensions), np.float32) if dimensions else None
        self.headers = zeros(reversed(extent), ACQUISITION_HEADER)
        self.filled = np.zeros(extent, bool)
        self.overwritten = 0

    def put(self, at: tuple[np.ndarray, ...], block: AcquisitionBlock, where: Readout) -> None:
        """Place the acquisitions of a block at (loc, s, n, e2, e1)."""
        loc, s, n, e2, e1 = at
        before = int(self.filled.sum())
        self.filled[at] = True
        self.overwritten += len(block) - (int(self.filled.sum()) - before)
        samples = block.data[:, :, where.source]
        if _constant(loc) and _constant(s) and _constant(n) and _constant(e2) and (np.diff(e1) == 1).all():
            # Neighbouring lines, as they mostly come, are copied in one go.
            lines = slice(e1[0], e1[-1] + 1)
            self.data[loc[0], s[0], n[0], :, e2[0], lines, where.target] = samples.swapaxes(0, 1)
        else:
            self.data[loc, s, n, :, e2, e1, where.target] = samples
        self.headers[at[::-1]] = block.headers
        if self.trajectory is not None and block.trajectory is not None:
            self.trajectory[loc, s, n, e2, e1, where.target] = block.trajectory[:, where.source]

    def is_finite(self) -> bool:
        """Whether no sample is NaN or infinite."""
        return bool(np.isfinite(self.data.reshape(-1).view(np.float32)).all())

    def recon_buffer(self, description: SamplingDescription) -> ReconBuffer:
        trajectory = None if self.trajectory is None else self.trajectory.T
        return ReconBuffer(self.data.T, trajectory, None, self.headers, description)


def _constant(places: np.ndarray) -> bool:
    return bool((places == places[0]).all())


def _from_lowest(index: np.ndarray, dimension: str) -> np.ndarray:
    """Places along N or S."""
    if dimension in ("", "none"):
        return np.zeros(len(index), np.intp)
    found = index[dimension].astype(np.intp)
    return found - found.min()


def _different(columns: list[np.ndarray], n: int) -> tuple[list[tuple[int, ...]], np.ndarray]:
    """The different rows of `columns`, each (n,), in ascending order, and which of them each row is."""
    varying = [i for i, column in enumerate(columns) if (column != column[0]).any()]
    if not varying:
        return [tuple(int(column[0]) for column in columns)], np.zeros(n, np.intp)
    table = np.stack([columns[i].astype(np.intp) for i in varying], axis=1)
    _, first, number = np.unique(table, axis=0, return_index=True, return_inverse=True)
    return [tuple(int(column[row]) for column in columns) for row in first], number.reshape(-1)


def _refuse(blocks: list[AcquisitionBlock]) -> None:
    """Name the first acquisition with samples that are no numbers."""
    for block in blocks:
        finite = np.isfinite(block.data).all(axis=(1, 2))
        if not finite.all():
            counter = block.headers["scan_counter"][np.flatnonzero(~finite)[0]]
            raise ValueError(f"acquisition {counter} holds NaN or infinite samples")


def _empty() -> ReconBuffer:
    """What stands for an encoding space of which there is nothing."""
    nothing = np.zeros((0,) * 7, np.complex64)
    return ReconBuffer(nothing, None, None, zeros((0,) * 5, ACQUISITION_HEADER), SamplingDescription())
