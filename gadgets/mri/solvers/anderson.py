"""Fixed points, accelerated."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from gadgets.mri.solvers._progress import Minimisation, Progress

# Share of the energy of the residuals that is added to their Gram matrix: they become parallel near the solution.
_DAMPING = 1e-6


def anderson(
    step: Callable[[Tensor], Tensor],
    start: Tensor,
    *,
    iterations: int,
    memory: int = 5,
    tolerance: float = 0.0,
    batch_dims: Sequence[int] = (),
) -> Minimisation:
    """Find x = T(x), T being `step`: x_(k+1) = sum_i a_i T(x_i), with a of min ||sum_i a_i (T(x_i) - x_i)||, sum a = 1.

    The sum runs over the last `memory` iterates; with a memory of 1 it is the plain iteration x_(k+1) = T(x_k). Along
    `batch_dims`, problems are independent; one whose relative change is at most `tolerance` rests. With a tolerance of
    0 nothing is read back from the device.

    Raises ValueError for a negative number of iterations and for a memory below 1.

    Walker and Ni, SIAM J Numer Anal 2011;49:1715. doi:10.1137/10078356X
    """
    if memory < 1:
        raise ValueError(f"memory is {memory}, expected 1 or more")
    progress = Progress(start, iterations=iterations, tolerance=tolerance, batch_dims=batch_dims, objective=None)
    images: list[Tensor] = []
    residuals: list[Tensor] = []
    x = start
    while not progress.finished:
        image = step(x)
        images = [*images, image][-memory:]
        residuals = [*residuals, image - x][-memory:]
        weights = _weights(residuals, progress)
        x = progress.accept(x, sum((a * t for a, t in zip(weights, images, strict=True)), torch.zeros_like(x)))
    return progress.result(x)


def _weights(residuals: list[Tensor], progress: Progress) -> list[Tensor]:
    """a of min ||sum_i a_i f_i||, sum a = 1, per element of the batch."""
    if len(residuals) == 1:
        return [torch.ones_like(progress.dot(residuals[0], residuals[0]))]
    gram = torch.stack([torch.stack([progress.dot(f, g) for g in residuals], dim=-1) for f in residuals], dim=-1)
    size = gram.diagonal(dim1=-2, dim2=-1).sum(dim=-1)[..., None, None]
    unit = torch.eye(len(residuals), dtype=gram.dtype, device=gram.device)
    scaled = gram / torch.where(size > 0, size, 1) + _DAMPING * unit
    solved = torch.linalg.solve(scaled, torch.ones_like(scaled[..., :1]))[..., 0]
    return list((solved / solved.sum(dim=-1, keepdim=True)).unbind(dim=-1))
