"""Kernels that make missing lines of k-space from their neighbours."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import conv3d, pad

from gadgets.mri.calibration.sampling import Lattice


def grappa_kernels(
    block: Tensor,
    steps: tuple[int, int],
    *,
    lines: int = 4,
    samples: int = 5,
    neighbours: int = 3,
    damping: float = 1e-3,
    fit_lattice: bool = False,
) -> Tensor:
    """Weights (step k2, step k1, coil, coil, d2, d1, d0) from fully sampled data (coil, k2, k1, k0).

    min_w sum_k sum_c |s_c(k + t) - sum_{j,d} w_tc,jd s_j(k + d step)|^2 + damping * energy ||w||^2

    for each offset t = (t2, t1) from a line k of the lattice to a line between it and the next, 0 <= t < step, over all
    places k of the block at once. Sources are `lines` lines of the lattice per accelerated axis (`neighbours` along an
    axis that is not accelerated; 1 where it has length 1), of which the last half lies behind k, and `samples` points
    of the readout around it: d = 0 has the index (width - 1) // 2. `energy` is the mean energy of a source over all
    places; in single precision, `damping` below 1e-5 is lost.

    Weights for t = 0 copy the line of the lattice, or with `fit_lattice` are fitted as the others are: what is damped
    in the lines between is then damped in those of the lattice too.

    Raises ValueError where the block is too small for kernels of that size.
    Griswold et al., MRM 2002;47:1202. doi:10.1002/mrm.10171
    """
    size, left = _shape(block, steps, lines, samples, neighbours)
    spread = (*steps, 1)
    windows = [(width - 1) * step + 1 for width, step in zip(size, spread, strict=True)]
    for name, window, length in zip(("k2", "k1", "k0"), windows, block.shape[1:], strict=True):
        if length < window:
            points = "x".join(map(str, size))
            raise ValueError(
                f"the calibration region has {length} points along {name}, "
                f"kernels of {points} points at an acceleration of {steps[0]}x{steps[1]} need {window}"
            )
    patches = block
    for axis, window in enumerate(windows, start=1):
        patches = patches.unfold(axis, window, 1)
    # (coil, place k2, k1, k0, window k2, k1, k0)
    sources = patches[..., :: spread[0], :: spread[1], :].permute(0, 4, 5, 6, 1, 2, 3).flatten(4).flatten(0, 3)
    corner = patches[..., left[0] * steps[0] :, left[1] * steps[1] :, left[2]]
    targets = corner[..., : steps[0], : steps[1]].permute(4, 5, 0, 1, 2, 3).flatten(3).flatten(0, 2)
    gram = (sources @ sources.mH).to(torch.complex128)
    cross = (sources @ targets.mH).to(torch.complex128)
    energy = gram.diagonal().real.mean()
    gram.diagonal().add_(torch.where(energy > 0, damping * energy, 1))
    weights = torch.linalg.solve(gram, cross).mH.to(block.dtype)
    weights = weights.reshape(*steps, len(block), len(block), *size)
    if not fit_lattice:
        weights[0, 0] = 0
        weights[0, 0, ..., left[0], left[1], left[2]] = torch.eye(len(block), dtype=block.dtype, device=block.device)
    return weights


def grappa_fill(data: Tensor, kernels: Tensor, lattice: Lattice) -> Tensor:
    """K-space (coil, k2, k1, k0) with the lines of the lattice and those between made by `kernels`.

    Beyond the last line of the lattice, lines are made up to the next one there would be; what is further away stays
    zero, and so does the part of k0 that no readout covers. Sources beyond the border of k-space are zero.
    """
    steps, n_coils, size = lattice.steps, kernels.shape[2], kernels.shape[4:]
    rows, columns = (
        slice(first, part.stop, step)
        for first, part, step in zip(lattice.first, lattice.extent, lattice.steps, strict=True)
    )
    known = data[:, rows, columns, lattice.readout]
    # One place more before the first: along accelerated axes lines may lie ahead of the lattice.
    ahead = [int(step > 1) for step in steps] + [0]
    margins = []
    for width, more in zip(reversed(size), reversed(ahead), strict=True):
        before = (width - 1) // 2
        margins += [before + more, width - 1 - before]
    made = conv3d(pad(known, margins)[None], kernels.flatten(0, 2))[0]
    places = made.shape[1:]
    made = made.reshape(*steps, n_coils, *places).permute(2, 3, 0, 4, 1, 5)
    made = made.reshape(n_coils, places[0] * steps[0], places[1] * steps[1], places[2])
    out = torch.zeros_like(data)
    here, there = [], []
    for first, more, step, length, full in zip(
        lattice.first, ahead[:2], steps, made.shape[1:3], data.shape[1:3], strict=True
    ):
        start = first - more * step
        there.append(slice(max(0, start), min(full, start + length)))
        here.append(slice(there[-1].start - start, there[-1].stop - start))
    out[:, there[0], there[1], lattice.readout] = made[:, here[0], here[1]]
    return out


def _shape(
    block: Tensor, steps: Sequence[int], lines: int, samples: int, neighbours: int
) -> tuple[list[int], list[int]]:
    """Points of the kernel per axis, and how many of them come before its place."""
    if lines < 2 or samples < 1 or neighbours < 1:
        raise ValueError(
            f"kernels have {lines} lines, {samples} samples and {neighbours} neighbours, "
            "expected at least 2 lines, 1 sample and 1 neighbour"
        )
    size = [
        lines if step > 1 else min(neighbours, length) for step, length in zip(steps, block.shape[1:3], strict=True)
    ]
    size.append(min(samples, block.shape[3]))
    return size, [(width - 1) // 2 for width in size]
