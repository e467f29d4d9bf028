"""Readouts as they come from the receiver: cropping of the oversampled field of view, asymmetric echoes.

Numpy and FFTW only: this runs on every acquisition of a scan, in processes that must start quickly.
"""

from threading import local

import numpy as np
import pyfftw
from numpy.typing import NDArray

# Readouts per plan: the buffers of 32 of 512 samples are 128 kB, which stay in a core's cache.
_ROWS = 32


class _Crop:
    """Plans and buffers to crop `rows` readouts of `n_in` samples to `n_out`, or fewer. For one thread.

    Centred transforms are plain ones between shifts. With both lengths even, no shift of k-space is needed: leaving it
    out multiplies the image at position j (from the centre, j = -n/2 ... n/2 - 1) by exp(i pi j) = (-1)^j, in the long
    transform and in the short one alike, as (-1)^j neither depends on the length nor changes from j to j + n for even
    n. The two factors cancel. The image is never shifted: in the order of a plain transform the positions from 0 come
    first and the negative ones last, so cropping keeps the first n_out - n_out//2 and the last n_out//2 points.

    Measured on one core, in microseconds per readout of 512 samples and its half, copies not counted: FFTW out of place
    0.42 + 0.20, in place 0.98 + 0.49, scipy.fft 1.15 + 0.58, numpy.fft 1.23 + 0.96. Planning with FFTW_MEASURE gains a
    tenth and takes 100 ms when the first acquisition comes; FFTW_ESTIMATE takes 0.2 ms. All in all, 32 readouts take
    32 microseconds, 8 readouts 8 to 13.
    """

    def __init__(self, rows: int, n_in: int, n_out: int) -> None:
        self._long, self._image = (pyfftw.zeros_aligned((rows, n_in), "complex64") for _ in range(2))
        self._cropped, self._short = (pyfftw.zeros_aligned((rows, n_out), "complex64") for _ in range(2))
        plan = {"axes": (1,), "flags": ("FFTW_ESTIMATE",)}
        self._inverse = pyfftw.FFTW(self._long, self._image, direction="FFTW_BACKWARD", **plan)
        self._forward = pyfftw.FFTW(self._cropped, self._short, direction="FFTW_FORWARD", **plan)
        self._scale = np.float32(1 / np.sqrt(n_in * n_out))
        self._shifted = bool(n_in % 2 or n_out % 2)

    def __call__(self, data: NDArray[np.complex64], out: NDArray[np.complex64]) -> None:
        """Crop data (a, b, n_in) to out (a, b, n_out), a * b at most the rows of the plan."""
        a, b, n_in = data.shape
        n_out = out.shape[-1]
        before, after = n_out // 2, n_out - n_out // 2
        long = self._long[: a * b].reshape(a, b, n_in)
        short = self._short[: a * b].reshape(a, b, n_out)
        if self._shifted:
            long[..., : n_in - n_in // 2] = data[..., n_in // 2 :]
            long[..., n_in - n_in // 2 :] = data[..., : n_in // 2]
        elif data.strides[-1] == data.itemsize:
            # Samples from a wire need not be aligned; numpy copies such numbers one by one, but bytes at once.
            long.view(np.uint8)[...] = data.view(np.uint8)
        else:
            long[...] = data
        self._inverse.execute()
        self._cropped[:, :after] = self._image[:, :after]
        self._cropped[:, after:] = self._image[:, n_in - before :]
        self._forward.execute()
        if self._shifted:
            np.multiply(short[..., :after], self._scale, out=out[..., before:])
            np.multiply(short[..., after:], self._scale, out=out[..., :before])
        else:
            np.multiply(short, self._scale, out=out)


class _Plans(local):
    """The plans of a thread, by size."""

    def __init__(self) -> None:
        self._crops: dict[tuple[int, int, int], _Crop] = {}

    def crop(self, rows: int, n_in: int, n_out: int) -> _Crop:
        key = (rows, n_in, n_out)
        if key not in self._crops:
            self._crops[key] = _Crop(*key)
        return self._crops[key]


_plans = _Plans()


def crop_readout(data: NDArray[np.complex64], n: int) -> NDArray[np.complex64]:
    """Crop the field of view along the readout.

    data: (..., k0) complex64 k-space, of any strides and alignment. Returns (..., n) k-space of the central n points of
    its image, fft(crop(ifft(data))) with centred orthonormal transforms, so that noise keeps its level and the centre
    of k-space comes to n // 2. Raises ValueError unless 1 <= n <= k0.
    """
    n_in = data.shape[-1]
    if not 1 <= n <= n_in:
        raise ValueError(f"cannot crop a readout of {n_in} samples to {n}")
    if data.dtype != np.complex64:
        raise TypeError(f"data is {data.dtype}, expected complex64")
    out = np.empty((*data.shape[:-1], n), np.complex64)
    if n == n_in:
        out[...] = data
        return out
    channels = data.shape[-2] if data.ndim > 2 else 1
    rows, target = data.reshape(-1, channels, n_in), out.reshape(-1, channels, n)
    step = max(1, _ROWS // channels)
    for start in range(0, len(rows), step):
        block = rows[start : start + step]
        # Plans for powers of two only, so that whatever number arrives together, few are made.
        planned = min(step, 1 << (len(block) - 1).bit_length())
        _plans.crop(planned * channels, n_in, n)(block, target[start : start + step])
    return out


def centre_readout(data: NDArray[np.complex64], centre: int, n: int) -> NDArray[np.complex64]:
    """Place the samples of an asymmetric echo so that the centre of k-space is where it belongs.

    data: (..., k0) complex64, with the centre of k-space at sample `centre`. Returns (..., n) with it at n // 2, and
    zeros where nothing was sampled. Raises ValueError where `centre` is no sample of `data`, or where samples would
    fall off the end.
    """
    length = data.shape[-1]
    if not 0 <= centre < length:
        raise ValueError(f"centre of k-space at sample {centre} of a readout of {length} samples")
    first = n // 2 - centre
    if first < 0 or first + length > n:
        raise ValueError(f"a readout of {length} samples with its centre at {centre} does not fit into {n} samples")
    out = np.zeros((*data.shape[:-1], n), np.complex64)
    out[..., first : first + length] = data
    return out
