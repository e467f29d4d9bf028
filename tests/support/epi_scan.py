"""An echo planar scan of the analytic phantom: ramps, reverse readouts, a lagging receiver, off resonance, noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import ismrmrd
import numpy as np

from gadgets.mri.phantom.scan import sample
from tests.support.streams import acquisition, header_xml

# A readout gradient, in microseconds, and a receiver that is open for most of it.
RAMP, FLAT, DELAY = 130.0, 260.0, 20.0
DIRECTIONS = (True, False, True)
# Signals are that much larger than the phantom's, so that noise of 1 is a few percent of its image.
_BRIGHTNESS = 200


@dataclass(frozen=True)
class EpiScan:
    """header, acquisitions in their order, and the ideal k-space (slice, coil, k1, k0) on the grid."""

    header: bytes
    lines: list[ismrmrd.Acquisition]
    kspace: np.ndarray

    @property
    def image(self) -> np.ndarray:
        """Root sum of squares (slice, y, x)."""
        return rss(self.kspace)


def rss(kspace: np.ndarray) -> np.ndarray:
    """Image (..., y, x) of k-space (..., coil, k1, k0)."""
    axes = (-2, -1)
    images = np.fft.fftshift(np.fft.ifft2(np.fft.ifftshift(kspace, axes), axes=axes, norm="ortho"), axes)
    return np.sqrt((abs(images) ** 2).sum(-3))


def places(n: int, samples: int, lag: float = 0.0) -> np.ndarray:
    """Where samples lie along k0 (cycles per field of view), by adding up the gradient in small steps.

    The open receiver passes n points of the grid when it does not lag. lag: how far samples are moved where the
    gradient is strongest, in cycles per field of view.
    """
    total = 2 * RAMP + FLAT
    dwell = (total - 2 * DELAY) / samples
    t = np.linspace(-50, total + 50, 200001)
    gradient = np.clip(np.minimum(t, total - t) / RAMP, 0, 1)
    passed = np.concatenate([[0], np.cumsum((gradient[1:] + gradient[:-1]) / 2 * (t[1] - t[0]))])
    opened, closed = np.interp([DELAY, total - DELAY], t, passed)
    scale = n / (closed - opened)
    middles = DELAY + (np.arange(samples) + 0.5) * dwell + lag / scale
    return (np.interp(middles, t, passed) - passed[-1] / 2) * scale


def description(samples: int, **changed: float | None) -> str:
    """The trajectoryDescription of that gradient; a parameter that is None is left out."""
    values = {
        "rampUpTime": RAMP, "flatTopTime": FLAT, "rampDownTime": RAMP, "acqDelayTime": DELAY, "numSamples": samples,
        "dwellTime": (2 * RAMP + FLAT - 2 * DELAY) / samples,
    } | changed  # fmt: skip
    listed = ""
    for name, value in values.items():
        if value is not None:
            kind, text = ("Double", value) if name == "dwellTime" else ("Long", int(value))
            listed += f"<userParameter{kind}><name>{name}</name><value>{text}</value></userParameter{kind}>"
    return f"<trajectoryDescription><identifier>ConventionalEPI</identifier>{listed}</trajectoryDescription>"


def epi_header(n: int, coils: int, slices: int = 1, described: str = "", **more: Any) -> bytes:
    """Header of a scan of n x n points."""
    made = header_xml((n, n, 1), coils=coils, limits={"slice": (0, slices - 1, 0)}, trajectory="epi", **more)
    return made.replace(b"<trajectory>epi</trajectory>", b"<trajectory>epi</trajectory>" + described.encode())


def epi_scan(
    n: int = 48,
    *,
    samples: int = 72,
    coils: int = 4,
    lags: Sequence[float] = (0.0,),
    phases: Sequence[float] = (0.0,),
    turn: float = 0.0,
    noise: float = 0.0,
    described: bool = False,
    rows: Sequence[int] | None = None,
    flags: Sequence[int] = (),
    seed: int = 0,
) -> EpiScan:
    """One shot for each slice, three navigators before each; as many slices as there are `lags` and `phases`.

    lags: cycles per field of view by which forward and reverse samples lie before and behind their places. phases:
    radians of forward over reverse readouts. turn: radians per readout, from off resonance. noise: standard deviation
    of the real and of the imaginary part. described: places are told by the header, not by trajectories. rows: the
    lines of k1 that a shot reads, all of them if None; flags: what they carry.
    """
    random = np.random.default_rng(seed)
    said = places(n, samples)
    k1 = np.arange(n) - n // 2
    lines, ideal = [], []
    for s, (lag, phase) in enumerate(zip(lags, phases, strict=True)):
        ideal.append(_BRIGHTNESS * n * sample(_grid(k1, k1), coils=coils, slice_index=s))
        true = {reverse: (-1) ** reverse * places(n, samples, -lag) for reverse in (False, True)}
        shot = [(0, reverse, True) for reverse in DIRECTIONS]
        shot += [(y, i % 2 == 1, False) for i, y in enumerate(range(n) if rows is None else rows)]
        for time, (y, reverse, navigator) in enumerate(shot):
            at = _grid(np.zeros(1) if navigator else k1[y : y + 1], true[reverse])
            data = _BRIGHTNESS * n * sample(at, coils=coils, slice_index=s)[:, 0]
            data = data * np.exp(1j * (turn * time + phase * (-0.5 if reverse else 0.5)))
            data = data + noise * (random.standard_normal(data.shape) + 1j * random.standard_normal(data.shape))
            marks = [ismrmrd.ACQ_IS_REVERSE] * reverse + ([ismrmrd.ACQ_IS_PHASECORR_DATA] if navigator else [*flags])
            marks += [ismrmrd.ACQ_LAST_IN_SLICE] * (time == len(shot) - 1)
            idx = {"kspace_encode_step_1": n // 2 if navigator else y, "slice": s, "segment": int(reverse)}
            counter = len(lines)
            one = acquisition(data, flags=marks, idx=idx, scan_counter=counter)
            if not described:
                one = with_trajectory(one, (-1) ** reverse * said / n)
            lines.append(one)
    header = epi_header(n, coils, len(lags), description(samples) if described else "")
    return EpiScan(header, lines, np.stack(ideal))


def with_trajectory(line: ismrmrd.Acquisition, along: np.ndarray) -> ismrmrd.Acquisition:
    """The acquisition with a trajectory of two components."""
    path = np.stack([along, np.zeros(len(along))], axis=1).astype(np.float32)
    head = ismrmrd.AcquisitionHeader.from_buffer_copy(bytes(line.getHead()))
    head.trajectory_dimensions = 2
    return ismrmrd.Acquisition(head, line.data, path)


def _grid(k1: np.ndarray, k0: np.ndarray) -> np.ndarray:
    """Places (k1, k0, 3)."""
    y, x = np.meshgrid(k1, k0, indexing="ij")
    return np.stack([np.zeros_like(x), y, x], axis=-1).astype(float)
