"""Networks of endless depth."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from gadgets.mri.solvers._progress import Minimisation
from gadgets.mri.solvers.anderson import anderson


def equilibrium(
    step: Callable[[Tensor], Tensor],
    start: Tensor,
    *,
    iterations: int,
    memory: int = 5,
    tolerance: float = 0.0,
    backward_iterations: int = 20,
    batch_dims: Sequence[int] = (),
) -> Minimisation:
    """The fixed point x = T(x), differentiable in the parameters of T, at the memory of a single step.

    Forward it is that of `anderson`, with the same settings. Backward, with J = dT/dx at x, the implicit function
    theorem gives the gradient of whatever T depends on: u = g + J^H u, which is solved by as many as
    `backward_iterations` of the same iteration, and then passed through one step of T.

    Raises ValueError for a negative number of iterations and for a memory below 1.

    Bai, Kolter and Koltun, NeurIPS 2019. arXiv:1909.01377
    """
    with torch.no_grad():
        found = anderson(step, start, iterations=iterations, memory=memory, tolerance=tolerance, batch_dims=batch_dims)
    if not torch.is_grad_enabled():
        return found
    x = step(found.x)
    if not x.requires_grad:
        return found
    at = found.x.detach().requires_grad_()
    image = step(at)

    def backward(gradient: Tensor) -> Tensor:
        def transposed(u: Tensor) -> Tensor:
            return gradient + torch.autograd.grad(image, at, u, retain_graph=True)[0]

        return anderson(
            transposed,
            gradient,
            iterations=backward_iterations,
            memory=memory,
            tolerance=tolerance,
            batch_dims=batch_dims,
        ).x

    x.register_hook(backward)
    return Minimisation(x=x, iterations=found.iterations, change=found.change, objective=None)
