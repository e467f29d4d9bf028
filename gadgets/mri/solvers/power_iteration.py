"""The largest eigenvalue of an operator."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gadgets.mri.solvers.deadline import require_time


@dataclass(frozen=True, kw_only=True, eq=False)
class PowerIterationResult:
    """eigenvalue: the largest, per element of the batch. x: its eigenvector, of length 1. iterations: how many were
    done. residual: ||G x - eigenvalue x|| / eigenvalue."""

    eigenvalue: Tensor
    x: Tensor
    iterations: int
    residual: Tensor


def power_iteration(
    gram: Callable[[Tensor], Tensor],
    start: Tensor,
    *,
    iterations: int = 30,
    tolerance: float = 0.0,
    batch_dims: Sequence[int] = (),
) -> PowerIterationResult:
    """The largest eigenvalue of a Hermitian positive semidefinite G, as x^H G x of x <- G x / ||G x||.

    It is approached from below: as a bound on ||G|| it wants a margin. `start` must not be orthogonal to the
    eigenvector; random numbers are not. Along `batch_dims`, operators are independent. Ends when all residuals are at
    most `tolerance`, or after `iterations`; with a tolerance of 0 nothing is read back from the device.

    Raises ValueError for fewer than one iteration.

    von Mises and Pollaczek-Geiringer, ZAMM 1929;9:152. doi:10.1002/zamm.19290090206
    """
    if iterations < 1:
        raise ValueError(f"iterations is {iterations}, expected 1 or more")
    batch = {dim % start.ndim for dim in batch_dims}
    dims = tuple(dim for dim in range(start.ndim) if dim not in batch)

    def length(x: Tensor) -> Tensor:
        return torch.linalg.vector_norm(x, dim=dims, keepdim=True) if dims else x.abs()

    def unit(x: Tensor) -> Tensor:
        size = length(x)
        return x / torch.where(size > 0, size, 1)

    done, image = 0, start
    while True:
        require_time()
        x = unit(image)
        image = gram(x)
        product = (x.conj() * image).real
        value = product.sum(dim=dims, keepdim=True) if dims else product
        residual = length(image - value * x) / torch.where(value > 0, value, 1)
        done += 1
        if done >= iterations or (tolerance > 0 and bool((residual <= tolerance).all())):
            return PowerIterationResult(eigenvalue=value, x=x, iterations=done, residual=residual)
