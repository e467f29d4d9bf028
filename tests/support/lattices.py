"""Masks of regular undersampling."""

from __future__ import annotations

import torch
from torch import Tensor


def lattice_mask(
    matrix: tuple[int, int, int], steps: tuple[int, int], shift: int = 0, first: tuple[int, int] = (0, 0)
) -> Tensor:
    """Mask (1, k2, k1, k0) of the lines k1 = first[1] + m steps[1], k2 = first[0] + m shift + n steps[0]."""
    mask = torch.zeros(1, *matrix, dtype=torch.bool)
    for m, k1 in enumerate(range(first[1], matrix[1], steps[1])):
        mask[:, (first[0] + m * shift) % steps[0] :: steps[0], k1] = True
    return mask
