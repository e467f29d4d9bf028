"""Images with few edges."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gadgets.mri.operators.finite_difference import FiniteDifferenceOp
from gadgets.mri.priors.joint_l1 import JointL1


@dataclass(frozen=True, kw_only=True, eq=False)
class TotalVariation:
    """g(x) = sum_r weight |grad x(r)|, the length of the differences along `axes` (isotropic, real and imaginary part
    together), which end at the border of the image.

    x of any shape; axes counted from its end. `weight`: a number, or a tensor that broadcasts against x, of length 1
    along `axes`. The prox has no closed form: x - D^H p, p from `iterations` of fast gradient projections onto
    ||p(r)|| <= step weight, the momentum of each image being given up when it points uphill. What is left falls at
    least with the square of their number; where it must be exact, pdhg and admm split the differences off.
    Rudin, Osher and Fatemi, Physica D 1992;60:259. doi:10.1016/0167-2789(92)90242-F
    Beck and Teboulle, IEEE TIP 2009;18:2419. doi:10.1109/TIP.2009.2028250
    """

    weight: float | Tensor = 1.0
    axes: Sequence[int] = (-2, -1)
    iterations: int = 100

    def value(self, x: Tensor) -> Tensor:
        """sum_r weight |grad x(r)|."""
        return JointL1(axes=(0,), weight=self.weight).value(FiniteDifferenceOp(self.axes)(x))

    def prox(self, x: Tensor, step: float | Tensor) -> Tensor:
        """x - D^H p, p = argmin ||x - D^H p||^2 subject to ||p(r)|| <= step weight."""
        gradient = FiniteDifferenceOp(self.axes)
        bound = torch.as_tensor(step * self.weight, dtype=x.real.dtype, device=x.device)
        p = q = torch.zeros_like(gradient(x))
        t = torch.ones_like(x.real.sum(dim=tuple(self.axes), keepdim=True))
        for _ in range(self.iterations):
            moved = q + gradient(x - gradient.H(q)) / (4 * len(self.axes))
            length = torch.linalg.vector_norm(moved, dim=0)
            # NaN is kept: it is not above the bound.
            new = moved * torch.where(length > bound, bound / torch.where(length > 0, length, 1), 1)
            uphill = ((q - new).conj() * (new - p)).real.sum(dim=0).sum(dim=tuple(self.axes), keepdim=True) > 0
            t = torch.where(uphill, 1, t)
            following = (1 + (1 + 4 * t.square()).sqrt()) / 2
            q = new + (t - 1) / following * (new - p)
            p, t = new, following
        return x - gradient.H(p)
