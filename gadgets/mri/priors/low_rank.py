"""Images that change in few ways."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, kw_only=True, eq=False)
class LowRank:
    """g(x) = weight ||C x||_*, the nuclear norm of the Casorati matrix C x, whose rows are frames.

    x: (*other, time, 1, z, y, x) for `time` = -5: all axes after `time` are points, all before it are matrices of their
    own. `weight`: a number, or a tensor (*other, 1, 1, 1, 1, 1). Its prox thresholds singular values:
    U max(S - step weight, 0) V^H.
    Cai, Candes and Shen, SIAM J Optim 2010;20:1956. doi:10.1137/080738970
    Liang, IEEE ISBI 2007:988. doi:10.1109/ISBI.2007.357020
    """

    weight: float | Tensor = 1.0
    time: int = -5

    def value(self, x: Tensor) -> Tensor:
        """weight ||C x||_*."""
        return (_per_matrix(self.weight, self.time) * torch.linalg.svdvals(self._casorati(x))).sum()

    def prox(self, x: Tensor, step: float | Tensor) -> Tensor:
        """U max(S - step weight, 0) V^H."""
        return threshold(self._casorati(x), _per_matrix(step * self.weight, self.time)).reshape(x.shape)

    def _casorati(self, x: Tensor) -> Tensor:
        if not -x.ndim <= self.time < -1:
            raise ValueError(f"time is axis {self.time}, expected {-x.ndim} to -2 for shape {tuple(x.shape)}")
        return x.flatten(self.time + 1)


def threshold(matrices: Tensor, level: float | Tensor) -> Tensor:
    """Matrices (*other, row, column) whose singular values are less by `level`, or 0. NaN where any entry is NaN."""
    if matrices.shape[-2] > matrices.shape[-1]:
        return threshold(matrices.mT, level).mT
    # Eigenvalues of matrices with NaN are refused by LAPACK, not computed.
    broken = matrices.isnan().any(dim=(-2, -1), keepdim=True)
    clean = torch.where(broken, 0, matrices)
    # U f(S) V^H = U (f(S) / S) U^H M needs the left side only: eigenvectors of M M^H, which is small and quick. Its
    # eigenvalues are squares, and in single precision those of singular values below 1/4000 of the largest were lost.
    fine = clean.to(torch.promote_types(clean.dtype, torch.float64))
    squares, u = torch.linalg.eigh(fine @ fine.mH)
    s = squares.clamp_min(0).sqrt()
    kept = torch.where(s > level, 1 - level / torch.where(s > 0, s, 1), 0).to(s.dtype)
    left = (u * kept.unsqueeze(-2)) @ u.mH
    return torch.where(broken, torch.nan, left.to(clean.dtype) @ clean)


def _per_matrix(weight: float | Tensor, time: int) -> float | Tensor:
    """A weight for each singular value (*other, 1) from one that broadcasts against x."""
    return weight.flatten(time) if isinstance(weight, Tensor) and weight.ndim else weight
