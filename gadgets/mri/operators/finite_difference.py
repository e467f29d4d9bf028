"""Differences of neighbours, in space or in time."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from gadgets.mri.operators.linear_operator import LinearOperator


class FiniteDifferenceOp(LinearOperator):
    """D: x (...) to (axis, ...), (D x)_a = x at the next point along axes[a], less x.

    axes: of x, counted from the end: -1 to -3 for x to z, -5 for the time of (time, 1, z, y, x). At the end of an axis,
    the next point is the first one if `periodic`, else the difference is 0, so that opposite borders have nothing to do
    with each other. ||D||^2 <= 4 len(axes).
    Rudin, Osher and Fatemi, Physica D 1992;60:259. doi:10.1016/0167-2789(92)90242-F
    """

    def __init__(self, axes: Sequence[int] = (-2, -1), *, periodic: bool = False) -> None:
        self.axes, self.periodic = tuple(axes), periodic
        if not self.axes or max(self.axes) >= 0 or len(set(self.axes)) < len(self.axes):
            raise ValueError(f"axes are {self.axes}, expected different negative numbers")

    def forward(self, x: Tensor) -> Tensor:
        """D x."""
        if self.periodic:
            return torch.stack([torch.roll(x, -1, axis) - x for axis in self.axes])
        # With the last point repeated, its difference is 0.
        last = [x.narrow(axis, -1, 1) for axis in self.axes]
        return torch.stack([torch.diff(x, dim=axis, append=end) for axis, end in zip(self.axes, last, strict=True)])

    def adjoint(self, y: Tensor) -> Tensor:
        """D^H y = sum_a (y_a at the point before along axes[a], less y_a)."""
        if len(y) != len(self.axes):
            raise ValueError(f"differences have shape {tuple(y.shape)}, expected ({len(self.axes)}, ...)")
        return torch.stack([self._back(part, axis) for part, axis in zip(y, self.axes, strict=True)]).sum(dim=0)

    def _back(self, y: Tensor, axis: int) -> Tensor:
        if self.periodic:
            return torch.roll(y, 1, axis) - y
        used = y.narrow(axis, 0, y.shape[axis] - 1)
        nothing = torch.zeros_like(y.narrow(axis, 0, 1))
        return -torch.diff(used, dim=axis, prepend=nothing, append=nothing)
