"""What a denoiser knows of images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, kw_only=True, eq=False)
class Denoiser:
    """The prior behind a denoiser: its prox is `denoise`, and what it minimises is not known.

    `denoise(x, deviation)` is given x of any shape and the standard deviation of white noise in it, in the real and in
    the imaginary part: sqrt(step weight), a number or a tensor that broadcasts against x. A prox is what is likeliest
    before such noise under the density exp(-g / weight). Solvers that take only the prox go the same way with any
    denoiser (plug and play). Where its derivative is symmetric and within 0 and 1, it is a prox indeed, and they
    converge as with any prior; else they may not.
    Venkatakrishnan, Bouman and Wohlberg, IEEE GlobalSIP 2013:945. doi:10.1109/GlobalSIP.2013.6737048
    """

    denoise: Callable[[Tensor, float | Tensor], Tensor]
    weight: float | Tensor = 1.0

    def value(self, x: Tensor) -> Tensor:
        """Raises NotImplementedError: nothing is known but the prox."""
        raise NotImplementedError(
            f"a Denoiser has no value, only a prox: do not ask a solver for the objective, "
            f"but for the change of x (shape {tuple(x.shape)})"
        )

    def prox(self, x: Tensor, step: float | Tensor) -> Tensor:
        """The image that `denoise` makes of x."""
        cleaned = self.denoise(x, (step * self.weight) ** 0.5)
        if cleaned.shape != x.shape or cleaned.dtype != x.dtype:
            raise ValueError(
                f"the denoiser made {cleaned.dtype} of shape {tuple(cleaned.shape)} "
                f"of {x.dtype} of shape {tuple(x.shape)}; both must stay"
            )
        return cleaned
