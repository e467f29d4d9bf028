"""Primal-dual hybrid gradients."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor

from gadgets.mri.operators.linear_operator import LinearOperator
from gadgets.mri.priors.prior import Prior
from gadgets.mri.solvers._progress import Minimisation, Progress


def pdhg(
    operator: LinearOperator,
    prior: Prior,
    start: Tensor,
    *,
    norm: float,
    dual_step: float,
    iterations: int,
    beside: Prior | None = None,
    gradient: Callable[[Tensor], Tensor] | None = None,
    lipschitz: float | Tensor = 0.0,
    tolerance: float = 0.0,
    batch_dims: Sequence[int] = (),
    objective: Callable[[Tensor], Tensor] | None = None,
) -> Minimisation:
    """Minimise f(x) + h(x) + g(K x): K the operator, g the prior, h the prior `beside`, f smooth, of that `gradient`.

    `norm` is ||K|| or more, `lipschitz` that of the gradient (for f = ||A x - y||^2 / 2, ||A^H A||), a number or one
    for each element of the batch. With s = dual_step, the step of x is t = 1 / (lipschitz / 2 + s norm^2):

        x' = prox_(t h)(x - t (grad f(x) + K^H p)),  p' = prox_(s g*)(p + s K (2 x' - x)).

    The dual step decides about speed only, and not about the solution. Along `batch_dims` of x, problems are
    independent; one whose relative change is at most `tolerance` rests. With a tolerance of 0 nothing is read back from
    the device. `objective` is evaluated after each iteration.

    Raises ValueError for a negative number of iterations, and for a norm or a dual step that is not positive.

    Chambolle and Pock, J Math Imaging Vis 2011;40:120. doi:10.1007/s10851-010-0251-1
    With a smooth term: Condat, J Optim Theory Appl 2013;158:460. doi:10.1007/s10957-012-0245-9
    """
    if not (norm > 0 and dual_step > 0):
        raise ValueError(f"norm is {norm} and dual_step is {dual_step}, expected both to be more than 0")
    progress = Progress(start, iterations=iterations, tolerance=tolerance, batch_dims=batch_dims, objective=objective)
    step = 1 / (lipschitz / 2 + dual_step * norm**2)

    def conjugate(q: Tensor) -> Tensor:
        """prox_(s g*)(q), which is what the prox of g leaves of q (Moreau)."""
        return q - dual_step * prior.prox(q / dual_step, 1 / dual_step)

    # Begun at the minimum of f + h, p = 0 would leave x unchanged in the first iteration.
    x, p = start, conjugate(dual_step * operator(start))
    while not progress.finished:
        slope = operator.H(p) if gradient is None else gradient(x) + operator.H(p)
        moved = x - step * slope
        new = progress.accept(x, moved if beside is None else beside.prox(moved, step))
        p = conjugate(p + dual_step * operator(2 * new - x))
        x = new
    return progress.result(x)
