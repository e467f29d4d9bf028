"""How far a minimisation has come."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gadgets.mri.solvers.deadline import require_time


@dataclass(frozen=True, kw_only=True, eq=False)
class Minimisation:
    """What a solver found, and how.

    x: the minimiser. iterations: how many were done. change: ||x_k - x_(k-1)|| / ||x_k|| of the last one, per element
    of the batch (1 where none was done). objective: its value after each iteration, where it was asked for.
    """

    x: Tensor
    iterations: int
    change: Tensor
    objective: Tensor | None


class Progress:
    """Counts iterations, and puts elements of a batch to rest whose relative change is at most `tolerance`.

    With a tolerance of 0 nothing is read back from the device; values of the objective stay there too.
    """

    def __init__(
        self,
        x: Tensor,
        *,
        iterations: int,
        tolerance: float,
        batch_dims: Sequence[int],
        objective: Callable[[Tensor], Tensor] | None,
    ) -> None:
        if iterations < 0:
            raise ValueError(f"iterations is {iterations}, expected 0 or more")
        batch = {dim % x.ndim for dim in batch_dims}
        self._dims = tuple(dim for dim in range(x.ndim) if dim not in batch)
        self._iterations, self._tolerance, self._objective = iterations, tolerance, objective
        self._change = torch.ones([x.shape[d] if d in batch else 1 for d in range(x.ndim)], device=x.device)
        self._change = self._change.to(x.real.dtype)
        self._active = torch.ones_like(self._change, dtype=torch.bool)
        self._done = 0
        self._values: list[Tensor] = []

    @property
    def finished(self) -> bool:
        """Whether to stop. Raises TimeoutError instead where the deadline has passed."""
        if self._done >= self._iterations or (self._tolerance > 0 and not bool(self._active.any())):
            return True
        require_time()
        return False

    def dot(self, a: Tensor, b: Tensor) -> Tensor:
        """Re a^H b, per element of the batch."""
        product = (a.conj() * b).real
        # With no dims to sum over, every number is a problem of its own.
        return product.sum(dim=self._dims, keepdim=True) if self._dims else product

    def accept(self, old: Tensor, new: Tensor) -> Tensor:
        """The iterate after this iteration: `new`, or `old` where a problem rests."""
        if self._tolerance > 0:
            new = torch.where(self._active, new, old)
        apart, size = new - old, self.dot(new, new)
        change = (self.dot(apart, apart) / torch.where(size > 0, size, 1)).sqrt()
        self._change = torch.where(self._active, change, self._change)
        self._active = self._active & (change > self._tolerance)
        self._done += 1
        if self._objective is not None:
            self._values.append(self._objective(new))
        return new

    def result(self, x: Tensor) -> Minimisation:
        """What there is to say of the solution x."""
        values = None if self._objective is None else torch.stack(self._values) if self._values else x.real.new_zeros(0)
        return Minimisation(x=x, iterations=self._done, change=self._change, objective=values)
