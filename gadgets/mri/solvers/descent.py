"""Smooth convex functions of unknown curvature."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from gadgets.mri.solvers._progress import Minimisation, Progress

# What a step may grow by after it was good, and shrinks by after it was too long.
_GROWTH, _CUT = 1.02, 0.5


def descent(
    gradient: Callable[[Tensor], Tensor],
    start: Tensor,
    *,
    iterations: int,
    step: float | Tensor = 1.0,
    batch_dims: Sequence[int] = (),
    objective: Callable[[Tensor], Tensor] | None = None,
) -> Minimisation:
    """Minimise a smooth convex f by accelerated steps down its gradient, whose length is found on the way.

    From z = x_k + b_k (x_k - x_(k-1)), z' = z - t grad f(z) becomes x_(k+1) where two things hold, which are read off
    gradients, since values of f are too coarse near its minimum:

        <grad f(z') - grad f(z), z' - z> <= ||z' - z||^2 / t    or t is too long for the curvature, and halved;
        <grad f(z'), z' - x_k> <= 0                             or momentum is dropped, and the next step begins at x_k.

    By the second, f never rises; a step from x_k itself fulfils it whenever the first holds. An iteration in which
    nothing could be done counts. `step` is the first length, a number or one for each element of the batch. Nothing is
    read back from the device. `objective` is evaluated after each iteration.

    Raises ValueError for a negative number of iterations.

    Nesterov, Dokl Akad Nauk SSSR 1983;269:543; restarts: O'Donoghue and Candes, Found Comput Math 2015;15:715.
    doi:10.1007/s10208-013-9150-3
    """
    progress = Progress(start, iterations=iterations, tolerance=0.0, batch_dims=batch_dims, objective=objective)
    x = z = start
    length = step * torch.ones_like(progress.dot(x, x))
    age = torch.zeros_like(length)
    while not progress.finished:
        slope = gradient(z)
        moved = z - length * slope
        there = gradient(moved)
        # z' - z = -t grad f(z), on both sides of the condition.
        short = progress.dot(slope - there, slope) <= progress.dot(slope, slope)
        good = short & (progress.dot(there, moved - x) <= 0)
        new = torch.where(good, moved, x)
        age = torch.where(good, age + 1, torch.where(short, 0, age))
        # After a step that was too long, another is tried from the same place.
        z = torch.where(short, new + torch.where(good, age / (age + 3), 0) * (new - x), z)
        length = length * torch.where(short, _GROWTH, _CUT)
        x = progress.accept(x, new)
    return progress.result(x)
