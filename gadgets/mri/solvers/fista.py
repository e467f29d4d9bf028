"""Accelerated proximal gradients."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from gadgets.mri.priors.prior import Prior
from gadgets.mri.solvers._progress import Minimisation, Progress


def fista(
    gradient: Callable[[Tensor], Tensor],
    prior: Prior,
    start: Tensor,
    *,
    step: float | Tensor,
    iterations: int,
    tolerance: float = 0.0,
    restart: bool = True,
    batch_dims: Sequence[int] = (),
    objective: Callable[[Tensor], Tensor] | None = None,
) -> Minimisation:
    """Minimise f(x) + g(x): f smooth, of that `gradient`, g the prior.

    For f = ||A x - y||^2 / 2 the gradient is A^H (A x - y). `step`: at most 1 / ||A^H A||, a number or one for each
    element of the batch. With `restart`, momentum is given up whenever it points uphill, so that strongly convex
    problems converge at their own rate. Along `batch_dims`, problems are independent: each has its own momentum, and
    one whose relative change is at most `tolerance` rests while the others go on. With a tolerance of 0 nothing is
    read back from the device. `objective` is evaluated after each iteration.

    Raises ValueError for a negative number of iterations.

    Beck and Teboulle, SIAM J Imaging Sci 2009;2:183. doi:10.1137/080716542
    O'Donoghue and Candes, Found Comput Math 2015;15:715. doi:10.1007/s10208-013-9150-3
    """
    progress = Progress(start, iterations=iterations, tolerance=tolerance, batch_dims=batch_dims, objective=objective)
    x = z = start
    t = torch.ones_like(progress.dot(x, x))
    while not progress.finished:
        new = progress.accept(x, prior.prox(z - step * gradient(z), step))
        if restart:
            t = torch.where(progress.dot(z - new, new - x) > 0, 1, t)
        following = (1 + (1 + 4 * t.square()).sqrt()) / 2
        z = new + (t - 1) / following * (new - x)
        x, t = new, following
    return progress.result(x)
