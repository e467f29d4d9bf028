"""Conjugate gradients."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gadgets.mri.solvers.deadline import require_time

# Residuals of this many units of rounding, relative to the right side, are no longer known.
_ROUNDING = 10


@dataclass(frozen=True, kw_only=True, eq=False)
class CgResult:
    """x: the solution. iterations: how many were done. residual: ||rhs - G x|| / ||rhs||, per element of the batch.
    objective: its value after each iteration, where it was asked for."""

    x: Tensor
    iterations: int
    residual: Tensor
    objective: Tensor | None


def cg(
    gram: Callable[[Tensor], Tensor],
    rhs: Tensor,
    *,
    iterations: int,
    tolerance: float = 0.0,
    start: Tensor | None = None,
    batch_dims: Sequence[int] = (),
    objective: Callable[[Tensor], Tensor] | None = None,
) -> CgResult:
    """Solve G x = rhs for a Hermitian positive semidefinite G, real or complex.

    Along `batch_dims`, systems are independent and each has its own step sizes, so a batch gives what separate solves
    give. A system whose relative residual is at most `tolerance` rests while the others go on; iteration ends when all
    do, or after `iterations`. With a tolerance of 0 nothing is read back from the device; systems rest where what is
    left is rounding. Starts at `start`, or at 0. `objective` is evaluated after each iteration.

    Raises ValueError for a negative number of iterations.

    Hestenes and Stiefel, J Res Natl Bur Stand 1952;49:409. doi:10.6028/jres.049.044
    """
    if iterations < 0:
        raise ValueError(f"iterations is {iterations}, expected 0 or more")
    batch = {dim % rhs.ndim for dim in batch_dims}
    dims = tuple(dim for dim in range(rhs.ndim) if dim not in batch)

    def dot(a: Tensor, b: Tensor) -> Tensor:
        product = a.conj() * b
        # With no dims to sum over, every number is a system of its own.
        return (product.sum(dim=dims, keepdim=True) if dims else product).real

    x = torch.zeros_like(rhs) if start is None else start
    r = rhs if start is None else rhs - gram(start)
    p = r
    rr, scale = dot(r, r), dot(rhs, rhs)
    # What is left below that is rounding, part of it outside the range of G, where steps have no end.
    rounding = _ROUNDING * torch.finfo(rr.dtype).eps
    bound = max(tolerance, rounding) ** 2 * scale
    done = 0
    values: list[Tensor] = []
    while done < iterations:
        if tolerance > 0 and bool((rr <= bound).all()):
            break
        require_time()
        active = rr > bound
        q = gram(p)
        pq = dot(p, q)
        step = torch.where(active & (pq > 0), rr / torch.where(pq > 0, pq, 1), 0)
        x = x + step * p
        r = r - step * q
        new = dot(r, r)
        p = r + torch.where(active, new / torch.where(rr > 0, rr, 1), 0) * p
        rr = new
        done += 1
        if objective is not None:
            values.append(objective(x))
    courses = None if objective is None else torch.stack(values) if values else x.real.new_zeros(0)
    return CgResult(x=x, iterations=done, residual=(rr / torch.where(scale > 0, scale, 1)).sqrt(), objective=courses)
