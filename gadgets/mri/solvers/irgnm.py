"""Nonlinear inversion by the iteratively regularised Gauss-Newton method."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor

from gadgets.mri.operators.nonlinear_operator import NonlinearOperator
from gadgets.mri.solvers._progress import Minimisation, Progress
from gadgets.mri.solvers.cg import cg


def irgnm(
    operator: NonlinearOperator,
    data: Tensor,
    start: Tensor,
    *,
    iterations: int,
    regularisation: float = 1.0,
    reduction: float = 0.5,
    inner_iterations: int = 100,
    inner_tolerance: float = 1e-2,
    tolerance: float = 0.0,
    batch_dims: Sequence[int] = (),
    objective: Callable[[Tensor], Tensor] | None = None,
) -> Minimisation:
    """Solve F(x) = data near `start`, for an operator F that is not linear and badly conditioned.

    Iteration k linearises F at x and solves, by conjugate gradients,

        min_h ||DF(x) h + F(x) - data||^2 + alpha_k ||x + h - start||^2,  alpha_k = regularisation * reduction^k.

    Where data have noise, the number of iterations decides how far it is followed: alpha ends at regularisation *
    reduction^(iterations - 1). The conjugate gradients end at `inner_tolerance`, relative, or after `inner_iterations`.
    Along `batch_dims`, problems are independent, and one whose relative change is at most `tolerance` rests while the
    others go on. `objective` is evaluated after each iteration.

    Raises ValueError for a negative number of iterations, a negative regularisation, and a reduction outside 0 to 1.

    Bakushinsky, USSR Comput Math Math Phys 1992;32:1353.
    Blaschke, Neubauer and Scherzer, IMA J Numer Anal 1997;17:421. doi:10.1093/imanum/17.3.421
    """
    if not regularisation >= 0:
        raise ValueError(f"regularisation is {regularisation}, expected 0 or more")
    if not 0 < reduction <= 1:
        raise ValueError(f"reduction is {reduction}, expected a factor above 0 and up to 1")
    progress = Progress(start, iterations=iterations, tolerance=tolerance, batch_dims=batch_dims, objective=objective)
    x, alpha = start, regularisation
    while not progress.finished:
        step = _step(operator, data, start, x, alpha, inner_iterations, inner_tolerance, batch_dims)
        x = progress.accept(x, x + step)
        alpha *= reduction
    return progress.result(x)


def _step(
    operator: NonlinearOperator,
    data: Tensor,
    start: Tensor,
    x: Tensor,
    alpha: float,
    iterations: int,
    tolerance: float,
    batch_dims: Sequence[int],
) -> Tensor:
    """(DF^H DF + alpha) h = DF^H (data - F(x)) + alpha (start - x)."""
    linear = operator.derivative(x)
    gram = linear.gram
    rhs = linear.H(data - operator(x)) + alpha * (start - x)
    return cg(lambda h: gram(h) + alpha * h, rhs, iterations=iterations, tolerance=tolerance, batch_dims=batch_dims).x
