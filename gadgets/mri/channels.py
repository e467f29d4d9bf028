"""Sums over channels: matrices that mix them, and what they have in common. Numpy only.

BLAS spreads a product over threads as soon as it is a little larger than a few acquisitions, and the threads wait for
each other in busy loops. Beside other work (each gadget of a chain has a thread of its own) such a product
takes up to a hundred times as long as on one core. The products here are computed in pieces so small that they stay
in the calling thread, at the same speed as a large one on one core.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# Multiplications in a product of complex numbers from which on OpenBLAS uses threads, and the shortest useful piece.
_ONE_THREAD = 32768
_SHORTEST = 8
# Pieces that are added up together.
_TOGETHER = 64


def mix(matrix: NDArray[np.complex64], data: NDArray[np.complex64]) -> NDArray[np.complex64]:
    """matrix (out, channel) times data (n, channel, samples), of any strides and alignment: (n, out, samples)."""
    n, channels, samples = data.shape
    out = np.empty((n, len(matrix), samples), np.complex64)
    length, rows = _piece(len(matrix), channels)
    whole = samples - samples % length
    for first in range(0, len(matrix), rows):
        part, target = matrix[first : first + rows], out[:, first : first + rows]
        np.matmul(part, _pieces(data[..., :whole], length), out=_pieces(target[..., :whole], length))
        if whole < samples:
            np.matmul(part, data[..., whole:], out=target[..., whole:])
    return out


def gram(samples: NDArray[np.complexfloating]) -> NDArray[np.complex128]:
    """samples samples^H (channel, channel) of samples (channel, samples), added up in double precision."""
    channels, n = samples.shape
    total = np.zeros((channels, channels), np.complex128)
    length, rows = _piece(channels, channels)
    for start in range(0, n, length * _TOGETHER):
        wide = samples[:, start : start + length * _TOGETHER].astype(np.complex128)
        whole = wide.shape[1] - wide.shape[1] % length
        for each in (_pieces(wide[None, :, :whole], length)[0], wide[None, :, whole:]):
            for first in range(0, channels, rows):
                part = each[:, first : first + rows]
                total[first : first + rows] += np.matmul(part, each.conj().swapaxes(-1, -2)).sum(axis=0)
    return total


def mix_along(matrices: NDArray[np.complex64], data: NDArray[np.complex64]) -> NDArray[np.complex64]:
    """matrices (x, out, channel) times data (n, channel, k0), in image space along the readout: (n, out, k0).

    Raises ValueError for readouts of another length than there are matrices.
    """
    places, rows, channels = matrices.shape
    if data.shape[1:] != (channels, places):
        raise ValueError(f"data has shape {data.shape}, expected (n, {channels}, {places}) for these matrices")
    # Without shifts, each transform is off by a phase that the way back undoes, and places are those of a plain FFT.
    plain = np.fft.ifftshift(matrices, axes=0)
    image = np.fft.ifft(data, axis=2).swapaxes(1, 2)
    # One product for each place of each readout: what is computed does not depend on how many readouts come together.
    mixed = np.matmul(plain, np.ascontiguousarray(image)[..., None])[..., 0]
    return np.fft.fft(mixed.swapaxes(1, 2), axis=2).astype(np.complex64, copy=False)


def gram_along(data: NDArray[np.complexfloating]) -> NDArray[np.complex128]:
    """sum_n m m^H (x, channel, channel) of data (n, channel, k0), m its image along the readout. In double precision.

    Transforms are orthonormal, with the centre of the field of view at k0 // 2.
    """
    n, channels, places = data.shape
    total = np.zeros((places, channels, channels), np.complex128)
    length, _ = _piece(channels, channels)
    for start in range(0, n, length):
        wide = data[start : start + length].astype(np.complex128)
        image = np.fft.ifft(wide, axis=2, norm="ortho").transpose(2, 1, 0)
        total += np.matmul(image, image.conj().swapaxes(1, 2))
    return np.fft.fftshift(total, axes=0)


def _piece(rows: int, channels: int) -> tuple[int, int]:
    """Samples and rows of a product that stays in one thread."""
    length = max(_ONE_THREAD // (rows * channels), _SHORTEST)
    return length, max(min(_ONE_THREAD // (length * channels), rows), 1)


def _pieces(data: NDArray[np.complexfloating], length: int) -> NDArray[np.complexfloating]:
    """(n, channel, pieces * length) as (n, pieces, channel, length)."""
    n, channels, samples = data.shape
    return data.reshape(n, channels, samples // length, length).swapaxes(1, 2)
