"""Readouts whose samples do not lie on the grid, as those that are taken while a gradient rises. Numpy only."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gadgets.mri.channels import mix

# What samples see with less than 1/25 of the energy that samples on the grid would see it with is left out: elsewhere
# noise is amplified by 5 at most, and that only beyond the last sample.
_FAINTEST = 0.04
# Times in headers are whole microseconds: by that much the receiver may seem to be open too early or too late.
_MICROSECOND = 1.0
# Samples may be that much farther apart than neighbours of the grid: trajectories are rounded.
_ROUNDING = 1.01


def trapezoid(
    samples: int, *, dwell: float, delay: float, ramp_up: float, flat_top: float, ramp_down: float, width: float
) -> NDArray[np.float64]:
    """Places (samples,) of the samples along k0, under a gradient that rises, is constant, and falls to 0.

    Times in microseconds: the receiver opens `delay` after the gradient began to rise, and sample i is the signal in
    the middle of its dwell time, at delay + (i + 1/2) dwell. From opening to closing it moves by `width` (cycles per
    field of view). The centre of k-space, place 0, is where half of the gradient's area has passed.

    Raises ValueError where the receiver is open while there is no gradient, and for times that are no such gradient.
    """
    times = {"rampUpTime": ramp_up, "flatTopTime": flat_top, "rampDownTime": ramp_down}
    total = sum(times.values())
    if min(times.values()) < 0 or total <= 0:
        raise ValueError(f"no readout gradient has these times in microseconds: {times}")
    if samples < 2 or dwell <= 0:
        raise ValueError(f"a readout of {samples} samples of {dwell:g} microseconds")
    opening, closing = delay, delay + samples * dwell
    if opening < -_MICROSECOND or closing > total + _MICROSECOND:
        raise ValueError(
            f"samples are taken from {opening:g} to {closing:g} microseconds; the gradient lasts from 0 to {total:g}"
        )

    def area(t: NDArray[np.floating]) -> NDArray[np.floating]:
        """What has passed of a gradient of height 1."""
        rising, falling = np.minimum(t, ramp_up), np.maximum(t - ramp_up - flat_top, 0)
        passed = np.clip(t - ramp_up, 0, flat_top)
        if ramp_up:
            passed = passed + rising**2 / (2 * ramp_up)
        if ramp_down:
            passed = passed + falling - falling**2 / (2 * ramp_down)
        return passed

    start, end, whole = area(np.array([opening, closing, total]))
    middles = delay + (np.arange(samples) + 0.5) * dwell
    places: NDArray[np.float64] = (area(middles) - whole / 2) * (width / (end - start))
    return places


def delayed(places: NDArray[np.floating], shift: float) -> NDArray[np.float64]:
    """Places (samples,) in the order of time, when the receiver lags behind the gradient.

    The lag moves samples by `shift` (cycles per field of view) along k0 where the gradient is strongest, and by less
    on its ramps, where k0 changes more slowly. Raises ValueError for fewer than two samples, or all at one place.
    """
    if len(places) < 2 or (places == places[0]).all():
        raise ValueError(f"{len(places)} samples at one place along k0 are no readout")
    pace = np.abs(np.gradient(places.astype(np.float64)))
    moved: NDArray[np.float64] = places + shift * pace / pace.max()
    return moved


class Regridding:
    """From samples at any places along k0 to the grid, for objects within the field of view.

    places: (samples,) in cycles per field of view; n: points of the grid, at -(n // 2) ... n - 1 - n // 2; lag: how
    `delayed` the samples are.

    The signal of such an object is a sum of sinc functions at the samples, and the sum of least energy that gives the
    samples is C_gs C_ss^-1 s with C(k, k') = sinc(k - k'): exact where samples lie no farther apart than the grid, up
    to what is missing beyond the first and last. The object need not be periodic or made of pixels. Where samples lie
    closer together, C_ss is singular: of its eigenvalues, those below 0.04 are left out.

    Noise is averaged where samples lie closer than the grid. All is multiplied by the one factor that keeps the noise
    level of the image: as when oversampling is cropped, signal grows by it and noise stays. Over k0 noise is not white:
    with denser samples on the ramps there is less of it towards both ends.

    Attributes: `covered`, the slice of the grid that lies within half a step of `places`; the rest is 0. A lag does not
    change it, so that forward and reverse readouts of a scan cover the same; a point that lags out of reach is fainter.
    Raises ValueError for fewer than two samples, or all at one place, for places that are not finite, and for samples
    farther apart than neighbours on the grid: the field of view would be folded.

    Bruder et al., MRM 1992;23:311. doi:10.1002/mrm.1910230211
    Rosenfeld, MRM 1998;40:14. doi:10.1002/mrm.1910400103
    """

    def __init__(self, places: NDArray[np.floating], n: int, *, lag: float = 0.0) -> None:
        if places.ndim != 1:
            raise ValueError(f"places of samples have shape {places.shape}, expected (samples,)")
        if not np.isfinite(places).all():
            raise ValueError("places of samples are NaN or infinite")
        self._places = delayed(places, lag)
        steps = np.diff(np.sort(places.astype(np.float64)))
        if steps.max() > _ROUNDING:
            raise ValueError(
                f"samples lie up to {steps.max():.3g} steps of the grid apart: "
                "they do not resolve the field of view along the readout"
            )
        self._grid = np.arange(n) - n // 2
        inside = np.flatnonzero((self._grid >= places.min() - 0.5) & (self._grid <= places.max() + 0.5)).tolist()
        if not inside:
            raise ValueError(f"no sample lies on the grid of {n} points: they are from {places[0]} to {places[-1]}")
        self.covered = slice(inside[0], inside[-1] + 1)
        energy, directions = np.linalg.eigh(np.sinc(self._places[:, None] - self._places))
        seen = energy > _FAINTEST
        inverse = (directions[:, seen] / energy[seen]) @ directions[:, seen].T
        # White noise of variance 1 has that of the local step on the grid; this is its mean over k0. It is the same for
        # a readout and its mirror image.
        inverse *= np.sqrt(steps.sum() / (steps**2).sum())
        self._inverse = inverse.astype(np.complex64)

    def matrix(self, shift: float = 0.0) -> NDArray[np.complex64]:
        """The matrix (n, samples) that gives the grid, if all samples lie `shift` further along k0 than was said.

        The image is that of matrix(0), multiplied by exp(2 pi i shift x), x in fields of view from the centre.
        """
        on_grid = np.sinc(self._grid[:, None] - shift - self._places)
        on_grid[: self.covered.start] = 0
        on_grid[self.covered.stop :] = 0
        return mix(on_grid.astype(np.complex64), self._inverse[None])[0]
