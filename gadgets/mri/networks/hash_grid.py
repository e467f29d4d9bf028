"""Places as features learned on grids of many resolutions."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable, Sequence
from functools import cache
from importlib.util import find_spec
from itertools import product
from math import prod

import torch
from torch import Tensor, nn

log = logging.getLogger(__name__)

# Factors of the axes in the hash, as in the paper: one, and large primes.
_PRIMES = (1, 2654435761, 805459861)
# Features begin between minus and plus this.
_START = 1e-2


class HashGrid(nn.Module):
    """Values (point, levels * features) of places p (point, axis) from 0 to 1, linear between the corners of cells.

    cells: along each axis, of the finest level; 1 for an axis without detail. Those of level l are
    base (cells / base)^(l / (levels - 1)), and not more than `cells`. Each corner has `features` numbers that are
    learned, and lies in a table of `size` rows: by its number where a level has no more corners than that, else by a
    hash, so that some corners share theirs. All that is random is drawn from `seed`. A GPU runs a compiled kernel.
    Mueller et al., ACM Trans Graph 2022;41:102. doi:10.1145/3528223.3530127
    """

    def __init__(
        self,
        cells: Sequence[int],
        *,
        levels: int = 6,
        features: int = 2,
        base: int = 4,
        size: int = 1 << 14,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if not 1 <= len(cells) <= len(_PRIMES) or min(cells) < 1:
            raise ValueError(f"cells is {tuple(cells)}, expected 1 to {len(_PRIMES)} numbers of 1 or more")
        if min(levels, features, base, size) < 1:
            raise ValueError(
                f"HashGrid has {levels} levels, {features} features, base {base} and size {size}, expected 1 or more"
            )
        parts = [level / max(1, levels - 1) for level in range(levels)]
        self._cells = [[round(min(base, n) * (n / min(base, n)) ** part) for n in cells] for part in parts]
        generator = torch.Generator().manual_seed(seed)
        self.tables = nn.Parameter(_START * (2 * torch.rand(levels, size, features, generator=generator) - 1))

    def forward(self, places: Tensor) -> Tensor:
        """Values (point, levels * features)."""
        encode = kernel() if places.device.type == "cuda" else encoded
        return encode(places, self.tables, self._cells)


def encoded(places: Tensor, tables: Tensor, cells: Sequence[Sequence[int]]) -> Tensor:
    """Values (point, levels * features) of tables (level, size, features) whose levels have so many cells per axis."""
    return torch.cat([_level(places, table, own) for table, own in zip(tables, cells, strict=True)], dim=-1)


@cache
def kernel() -> Callable[[Tensor, Tensor, Sequence[Sequence[int]]], Tensor]:
    """`encoded`, compiled where there is what that takes: its many small steps are then few that read places once."""
    compiler = os.environ.get("CC") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None or find_spec("triton") is None:
        log.warning("hash grids are not compiled, and slower: Triton and a C compiler are needed for it")
        return encoded
    return torch.compile(encoded)


def _level(places: Tensor, table: Tensor, cells: Sequence[int]) -> Tensor:
    scaled = places * torch.tensor(cells, dtype=places.dtype, device=places.device)
    # The far end belongs to the last cell.
    corner = torch.minimum(scaled.floor(), torch.tensor(cells, device=places.device) - 1).clamp_min(0)
    within = scaled - corner
    total = places.new_zeros(())
    for offset in product((0, 1), repeat=len(cells)):
        step = torch.tensor(offset, device=places.device)
        weight = torch.where(step == 1, within, 1 - within).prod(dim=-1, keepdim=True)
        total = total + weight * table[_row(corner.long() + step, cells, len(table))]
    return total


def _row(corner: Tensor, cells: Sequence[int], size: int) -> Tensor:
    """Where the features of corners (point, axis) are in a table of `size` rows."""
    row = torch.zeros_like(corner[..., 0])
    if prod(n + 1 for n in cells) <= size:
        for axis, n in enumerate(cells):
            row = row * (n + 1) + corner[..., axis]
        return row
    for axis in range(len(cells)):
        row = row ^ (corner[..., axis] * _PRIMES[axis])
    return row % size
