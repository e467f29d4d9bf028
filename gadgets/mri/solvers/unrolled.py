"""Iterations of a fixed number, with a network in each."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from gadgets.mri.solvers.cg import cg
from gadgets.mri.solvers.deadline import require_time

Network = Callable[[Tensor], Tensor]
Gram = Callable[[Tensor], Tensor]


def unrolled(
    networks: Sequence[Network],
    consistency: Callable[[Tensor, Tensor, int], Tensor],
    start: Tensor,
    *,
    checkpointed: bool = False,
) -> Tensor:
    """x_(k+1) = D_k(x_k, N_k(x_k)), as many times as there are networks; one network in all places shares its weights.

    consistency: D(x, z, k), which brings the network's z near to the data: `gradient_step` or `proximal_step` with
    their operators bound. With `checkpointed`, an iteration is computed anew for its gradient and only x_k are kept.
    """
    x = start
    for k, network in enumerate(networks):
        require_time()

        def iteration(x: Tensor, network: Network = network, k: int = k) -> Tensor:
            return consistency(x, network(x), k)

        x = checkpoint(iteration, x, use_reentrant=False) if checkpointed and torch.is_grad_enabled() else iteration(x)
    return x


def gradient_step(gram: Gram, rhs: Tensor, x: Tensor, z: Tensor, step: float | Tensor) -> Tensor:
    """z - step (G x - rhs): a step down ||A x - y||^2 / 2, taken at x, from z; G = A^H A, rhs = A^H y."""
    return z - step * (gram(x) - rhs)


def proximal_step(
    gram: Gram, rhs: Tensor, z: Tensor, weight: Tensor, *, iterations: int, batch_dims: Sequence[int] = ()
) -> Tensor:
    """argmin_x ||A x - y||^2 + weight ||x - z||^2 = (G + weight)^-1 (rhs + weight z), by conjugate gradients.

    Its gradient in z and in `weight` solves the same system once more: exact as far as the solution is, and
    nothing of the iterations is kept in memory. Nothing flows back to the operator and to the data.

    Aggarwal, Mani and Jacob, IEEE Trans Med Imaging 2019;38:394. doi:10.1109/TMI.2018.2865356
    """

    def solve(b: Tensor, weight: Tensor, start: Tensor | None) -> Tensor:
        return cg(lambda x: gram(x) + weight * x, b, iterations=iterations, start=start, batch_dims=batch_dims).x

    return _Proximal.apply(z, weight, rhs, solve)


class _Proximal(torch.autograd.Function):
    """(G + weight)^-1 (rhs + weight z), `solve` being the inverse."""

    @staticmethod
    def forward(ctx, z, weight, rhs, solve):
        x = solve(rhs + weight * z, weight, z)
        ctx.save_for_backward(x, z, weight)
        ctx.solve = solve
        return x

    @staticmethod
    def backward(ctx, gradient):
        x, z, weight = ctx.saved_tensors
        u = ctx.solve(gradient, weight, None)
        # dx = (G + w)^-1 (w dz + (z - x) dw)
        by_weight = (u.conj() * (z - x)).real.sum_to_size(weight.shape) if ctx.needs_input_grad[1] else None
        return weight * u, by_weight, None, None
