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


def _piece(rows: int, channels: int) -> tuple[int, int]:
    """Samples and rows of a product that stays in one thread."""
    length = max(_ONE_THREAD // (rows * channels), _SHORTEST)
    return length, max(min(_ONE_THREAD // (length * channels), rows), 1)


def _pieces(data: NDArray[np.complexfloating], length: int) -> NDArray[np.complexfloating]:
    """(n, channel, pieces * length) as (n, pieces, channel, length)."""
    n, channels, samples = data.shape
    return data.reshape(n, channels, samples // length, length).swapaxes(1, 2)
