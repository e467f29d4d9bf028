"""Alternating directions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gadgets.mri.operators.linear_operator import LinearOperator
from gadgets.mri.priors.prior import Prior
from gadgets.mri.solvers._progress import Minimisation, Progress


@dataclass(frozen=True, kw_only=True, eq=False)
class AdmmResult(Minimisation):
    """What was found, and `residual`: ||K x - z|| / ||K x||, z what the prior made of K x, over all problems together.

    It says how far the two halves of the problem still disagree, which a small change of x does not.
    """

    residual: Tensor


def admm(
    minimise: Callable[[Tensor, Tensor], Tensor],
    operator: LinearOperator,
    prior: Prior,
    start: Tensor,
    *,
    penalty: float,
    iterations: int,
    tolerance: float = 0.0,
    batch_dims: Sequence[int] = (),
    objective: Callable[[Tensor], Tensor] | None = None,
) -> AdmmResult:
    """Minimise f(x) + g(K x): K the operator, g the prior, f whatever can be minimised beside a quadratic.

    `minimise(v, x)` is argmin_x f(x) + penalty ||K x - v||^2 / 2, begun at x. For f = ||A x - y||^2 / 2 it solves
    (A^H A + penalty K^H K) x = A^H y + penalty K^H v. The penalty decides about speed only, and not about the solution.
    Along `batch_dims` of x, problems are independent; one whose relative change is at most `tolerance` rests. With a
    tolerance of 0 nothing is read back from the device. `objective` is evaluated after each iteration.

    Raises ValueError for a negative number of iterations and for a penalty that is not positive.

    Boyd et al., Found Trends Mach Learn 2011;3:1. doi:10.1561/2200000016
    """
    if not penalty > 0:
        raise ValueError(f"penalty is {penalty}, expected more than 0")
    progress = Progress(start, iterations=iterations, tolerance=tolerance, batch_dims=batch_dims, objective=objective)
    # Begun at the minimum of f, u = 0 and z = K x would be left unchanged by the first iteration.
    x, image = start, operator(start)
    z = prior.prox(image, 1 / penalty)
    u = image - z
    while not progress.finished:
        x = progress.accept(x, minimise(z - u, x))
        image = operator(x)
        at = image + u
        z = prior.prox(at, 1 / penalty)
        u = at - z
    size = torch.linalg.vector_norm(image)
    residual = torch.linalg.vector_norm(image - z) / torch.where(size > 0, size, 1)
    return AdmmResult(**vars(progress.result(x)), residual=residual)
