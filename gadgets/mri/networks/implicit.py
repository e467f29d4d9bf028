"""Images as functions of place, by the encoding of choice."""

from __future__ import annotations

from typing import Literal

from torch import nn

from gadgets.mri.networks.field import Field
from gadgets.mri.networks.fourier_features import FourierFeatures
from gadgets.mri.networks.hash_grid import HashGrid
from gadgets.mri.networks.siren import Siren

Encoding = Literal["fourier", "hash_grid", "siren"]


def implicit(
    encoding: Encoding, matrix: tuple[int, int, int], *, bandwidth: float, width: int, layers: int, seed: int
) -> nn.Module:
    """A module that gives an image (1, z, y, x) complex: a `Field` of places encoded so, or a `Siren`.

    bandwidth: deviation of the frequencies of Fourier features, in units of the highest that the matrix can show. The
    finest cells of a hash grid are voxels. Raises ValueError for another encoding.
    """
    if encoding == "siren":
        return Siren(matrix, width=width, layers=layers, seed=seed)
    features: nn.Module
    if encoding == "fourier":
        features = FourierFeatures([bandwidth * (length // 2) for length in matrix], seed=seed)
    elif encoding == "hash_grid":
        features = HashGrid(matrix, seed=seed)
    else:
        raise ValueError(f"encoding is {encoding!r}, expected 'fourier', 'hash_grid' or 'siren'")
    return Field(features, matrix, width=width, layers=layers, seed=seed)
