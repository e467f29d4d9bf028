"""Kernels that make missing lines of k-space from their neighbours."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import conv3d, pad

from gadgets.mri.calibration.kernel_noise import noise_beyond
from gadgets.mri.calibration.sampling import Lattice


def grappa_kernels(
    block: Tensor,
    steps: tuple[int, int],
    *,
    shift: int = 0,
    lines: int = 4,
    samples: int = 5,
    neighbours: int = 3,
    damping: float = 1e-3,
    fit_lattice: bool = False,
    matrix: Sequence[int] | None = None,
) -> Tensor:
    """Weights (step k2, step k1, coil, coil, d2, d1, d0) from fully sampled data (coil, k2, k1, k0).

    min_w sum_k sum_c |s_c(k + t) - sum_{j,d} w_tc,jd s_j(k + D d)|^2 + (damping * energy + noise) ||w||^2

    for each offset t = (t2, t1) from a line k of the lattice to a line between it and the next, 0 <= t < step, over all
    places k of the block at once. D d = (step2 d2 + shift d1, step1 d1, d0), see `Lattice`. Sources are `lines` lines
    of the lattice per accelerated axis (`neighbours` along an axis that is not accelerated; 1 where it has length 1),
    of which the last half lies behind k, and `samples` points of the readout around it: d = 0 has the index
    (width - 1) // 2. `energy` is the mean energy of a source over all places; in single precision, `damping` below 1e-5
    is lost.

    Weights for t = 0 copy the line of the lattice, or with `fit_lattice` are fitted as the others are: what is damped
    in the lines between is then damped in those of the lattice too.

    `noise` is 0 without the `matrix` (k2, k1, k0) of the k-space that is to be made; with it, see `noise_beyond`.

    Raises ValueError where the block is too small for kernels of that size.
    Griswold et al., MRM 2002;47:1202. doi:10.1002/mrm.10171
    """
    size, left = _shape(block, steps, lines, samples, neighbours)
    rows = [[(d2 - left[0]) * steps[0] + (d1 - left[1]) * shift for d1 in range(size[1])] for d2 in range(size[0])]
    before, behind = -min(map(min, rows)), max(map(max, rows))
    windows = before + behind + 1, (size[1] - 1) * steps[1] + 1, size[2]
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
    at2 = torch.tensor(rows, device=block.device) + before
    at1 = torch.arange(size[1], device=block.device) * steps[1]
    sources = patches[..., at2, at1, :].permute(0, 4, 5, 6, 1, 2, 3).flatten(4).flatten(0, 3)
    corner = patches[..., before:, left[1] * steps[1] :, left[2]]
    targets = corner[..., : steps[0], : steps[1]].permute(4, 5, 0, 1, 2, 3).flatten(3).flatten(0, 2)
    gram = (sources @ sources.mH).to(torch.complex128)
    cross = (sources @ targets.mH).to(torch.complex128)
    energy = gram.diagonal().real.mean()
    ridge = damping * energy
    if matrix is not None:
        ridge = ridge + noise_beyond(sources.unflatten(1, (-1, patches.shape[3])), block.shape[1:], matrix)
    gram.diagonal().add_(torch.where(energy > 0, ridge, 1))
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
    k2, k1 = _places(lattice, data.device)
    rows, columns = k2[..., 0, 0], k1[..., 0, 0]
    inside = (rows >= 0) & (rows < data.shape[1]) & (columns >= 0) & (columns < data.shape[2])
    known = data[:, rows.clamp(0, data.shape[1] - 1), columns.clamp(0, data.shape[2] - 1), lattice.readout]
    known = known * inside[:, :, None]
    margins = [edge for width in reversed(size) for edge in ((width - 1) // 2, width - 1 - (width - 1) // 2)]
    made = conv3d(pad(known, margins)[None], kernels.flatten(0, 2))[0]
    made = made.reshape(*steps, n_coils, *made.shape[1:]).permute(3, 4, 0, 1, 2, 5)
    k2, k1 = k2.broadcast_to(made.shape[:4]), k1.broadcast_to(made.shape[:4])
    wanted = torch.ones_like(k2, dtype=torch.bool)
    for k, part, step, length in zip((k2, k1), lattice.extent, steps, data.shape[1:3], strict=True):
        wanted &= (k >= max(0, part.start - step + 1)) & (k < min(length, part.stop + step - 1))
    out = torch.zeros_like(data)
    out[:, k2[wanted], k1[wanted], lattice.readout] = made[wanted].movedim(1, 0)
    return out


def _places(lattice: Lattice, device: torch.device) -> tuple[Tensor, Tensor]:
    """k2 (n, m, step k2, 1) and k1 (1, m, 1, step k1) of what is made from each line (n, m) of the lattice.

    n and m run over all lines that touch the extent of the lattice, some of which may lie outside of k-space, and over
    one more ahead: along accelerated axes, lines may be missing before the first.
    """
    (step2, step1), (first2, first1), (extent2, extent1) = lattice.steps, lattice.first, lattice.extent
    columns = range(-int(step1 > 1), _ceil(extent1.stop - first1, step1))
    moved = [first2 + lattice.shift * m for m in (columns[0], columns[-1])]
    rows = range(_ceil(extent2.start - max(moved), step2) - int(step2 > 1), _ceil(extent2.stop - min(moved), step2))
    n, m, t2, t1 = (
        torch.arange(part.start, part.stop, device=device) for part in (rows, columns, range(step2), range(step1))
    )
    k2 = first2 + lattice.shift * m[:, None, None] + step2 * n[:, None, None, None] + t2[:, None]
    return k2, (first1 + step1 * m[:, None, None] + t1)[None]


def _ceil(length: int, step: int) -> int:
    return -(-length // step)


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
