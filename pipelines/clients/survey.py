"""What is in a scan: counts, shapes, flags, counters and faults, gathered block by block in bounded memory."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import ismrmrd
import numpy as np

from gadgets.stream.blocks import AcquisitionBlock
from gadgets.stream.runs import AUXILIARY

Array = np.ndarray[Any, Any]

#: Flags (ISMRMRD, numbered from 1) by name.
FLAGS: dict[int, str] = {
    value: name.removeprefix("ACQ_")
    for name, value in sorted(vars(ismrmrd).items())
    if name.startswith("ACQ_") and isinstance(value, int) and 1 <= value <= 64
}
IMAGE_COUNTERS = ("average", "slice", "contrast", "phase", "repetition", "set")
COUNTERS = ("kspace_encode_step_1", "kspace_encode_step_2", *IMAGE_COUNTERS, "segment")

# Acquisitions with one of these are no part of an image.
_APART = (ismrmrd.ACQ_IS_NOISE_MEASUREMENT, *AUXILIARY)
_NOISE = ismrmrd.ACQ_IS_NOISE_MEASUREMENT
_REFERENCE = ismrmrd.ACQ_IS_PARALLEL_CALIBRATION
_REFERENCE_AND_IMAGE = ismrmrd.ACQ_IS_PARALLEL_CALIBRATION_AND_IMAGING
_COMPRESSED = (ismrmrd.ACQ_COMPRESSION1, ismrmrd.ACQ_COMPRESSION2)


@dataclass
class Fault:
    """Something wrong with acquisitions: how many, and the number of the first (counted from 0)."""

    n: int = 0
    first: int = -1

    def add(self, mask: Array, position: int) -> None:
        if mask.any():
            if not self.n:
                self.first = position + int(mask.argmax())
            self.n += int(mask.sum())

    def __str__(self) -> str:
        return f"acquisition {self.first}" if self.n == 1 else f"{self.n} acquisitions, first {self.first}"


@dataclass
class Space:
    """The acquisitions of one encoding space that are part of images or calibration.

    limits: lowest and highest value of each counter; lines, calibration: (k2, k1) of imaging and of calibration
    acquisitions; images: how many acquisitions each image has, by average, slice, contrast, phase, repetition, set.
    """

    limits: dict[str, tuple[int, int]] = field(default_factory=dict)
    lines: set[tuple[int, int]] = field(default_factory=set)
    calibration: set[tuple[int, int]] = field(default_factory=set)
    images: Counter[tuple[int, ...]] = field(default_factory=Counter)

    def add(self, headers: Array, imaging: Array, calibration: Array) -> None:
        """Acquisitions of this space; masks say which are lines of an image, and which are for calibration."""
        for name in COUNTERS:
            values = headers["idx"][name]
            low, high = int(values.min()), int(values.max())
            before = self.limits.get(name, (low, high))
            self.limits[name] = min(low, before[0]), max(high, before[1])
        self.lines |= _lines(headers[imaging])
        self.calibration |= _lines(headers[calibration])
        indices = np.stack([headers["idx"][name][imaging] for name in IMAGE_COUNTERS], axis=1)
        found, counts = np.unique(indices, axis=0, return_counts=True)
        for image, n in zip(found.tolist(), counts.tolist(), strict=True):
            self.images[tuple(image)] += n


@dataclass
class Survey:
    """Everything that was seen of a scan.

    shapes: (channels, samples, trajectory dimensions) of acquisitions that are no noise -> how many; noise: channels of
    noise acquisitions -> how many; dwell, noise_dwell: sample times in microseconds; time: first and last time stamp,
    noise apart; channels: of the first acquisition that is no noise.
    """

    n: int = 0
    nbytes: int = 0
    shapes: Counter[tuple[int, int, int]] = field(default_factory=Counter)
    noise: Counter[int] = field(default_factory=Counter)
    flags: Counter[int] = field(default_factory=Counter)
    spaces: dict[int, Space] = field(default_factory=dict)
    waveforms: Counter[int] = field(default_factory=Counter)
    dwell: set[float] = field(default_factory=set)
    noise_dwell: set[float] = field(default_factory=set)
    time: tuple[int, int] | None = None
    not_finite: Fault = field(default_factory=Fault)
    all_zero: Fault = field(default_factory=Fault)
    bad_center: Fault = field(default_factory=Fault)
    compressed: Fault = field(default_factory=Fault)
    no_direction: Fault = field(default_factory=Fault)
    other_channels: Fault = field(default_factory=Fault)
    channels: int | None = None

    def add(self, item: AcquisitionBlock | ismrmrd.Waveform) -> None:
        """Take one item of the scan into account."""
        if isinstance(item, ismrmrd.Waveform):
            self.waveforms[item.waveform_id] += 1
            return
        headers, position = item.headers, self.n
        self.n += len(item)
        self.nbytes += item.nbytes
        for flag in FLAGS:
            if n := int(item.flagged(flag).sum()):
                self.flags[flag] += n
        values: Array = np.array(item.data).view(np.float32).reshape(len(item), -1)
        self.not_finite.add(np.logical_not(np.isfinite(values).all(axis=1)), position)
        self.all_zero.add(np.logical_not(values.any(axis=1)), position)
        self.compressed.add(_any(item, _COMPRESSED), position)
        noise, apart = item.flagged(_NOISE), _any(item, _APART)
        if noise.any():
            self.noise[item.shape[0]] += int(noise.sum())
            self.noise_dwell |= _distinct(headers["sample_time_us"][noise])
        if not noise.all():
            self._add_signal(item, ~noise, position)
        reference = item.flagged(_REFERENCE)
        for space in np.unique(headers["encoding_space_ref"][~apart]).tolist():
            here = ~apart & (headers["encoding_space_ref"] == space)
            calibration = (reference | item.flagged(_REFERENCE_AND_IMAGE))[here]
            self.spaces.setdefault(space, Space()).add(headers[here], ~reference[here], calibration)

    def _add_signal(self, block: AcquisitionBlock, signal: Array, position: int) -> None:
        headers = block.headers
        self.shapes[block.shape] += int(signal.sum())
        self.dwell |= _distinct(headers["sample_time_us"][signal])
        stamps = headers["acquisition_time_stamp"][signal]
        low, high = int(stamps.min()), int(stamps.max())
        self.time = (low, high) if self.time is None else (min(low, self.time[0]), max(high, self.time[1]))
        if self.channels is None:
            self.channels = block.shape[0]
        if block.shape[0] != self.channels:
            self.other_channels.add(signal, position)
        self.bad_center.add(signal & (headers["center_sample"] >= block.shape[1]), position)
        for name in ("read_dir", "phase_dir", "slice_dir"):
            signal = signal & headers[name].any(axis=1)
        self.no_direction.add(~signal & ~block.flagged(_NOISE), position)


def _any(block: AcquisitionBlock, flags: tuple[int, ...]) -> Array:
    mask = np.uint64(sum(1 << (flag - 1) for flag in flags))
    found: Array = (block.headers["flags"] & mask) != 0
    return found


def _distinct(values: Array) -> set[float]:
    return {float(f"{value:.4g}") for value in np.unique(values)}


def _lines(headers: Array) -> set[tuple[int, int]]:
    k1, k2 = (headers["idx"][name].astype(np.int64) for name in ("kspace_encode_step_1", "kspace_encode_step_2"))
    packed = np.unique(k2 << 16 | k1)
    return set(zip((packed >> 16).tolist(), (packed & 0xFFFF).tolist(), strict=True))
