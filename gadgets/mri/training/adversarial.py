"""The training of a penalty as a critic of least squares."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from gadgets.mri.calibration.intensity import intensity
from gadgets.mri.operators.encoding import encoding
from gadgets.mri.solvers.cg import cg
from gadgets.mri.training.losses import critic, gradient_penalty
from gadgets.mri.training.simulation import Example
from gadgets.mri.training.supervised import Supervised

# Weight of the condition on slopes, that of its authors.
_PENALTY = 10.0

# Of least squares: far beyond where they look best. What was stopped early is a mean of images, which lacks what was
# not yet fitted, and a convex psi of a mean is at most the mean of psi: there it learns nothing.
_ITERATIONS = 40

# Batches for each that is reconstructed with psi, which takes ten times as long as a step of psi.
_EVERY = 5


class Adversarial(Supervised):
    """Trains `network.psi` to be low on true images and high on least squares, and `network.weight` by `losses`.

    With each batch psi goes a step up the difference of its means between least squares and the truth, its slope kept
    below 1. With every fifth, the batch is reconstructed with psi too, and the weight goes a step down the losses of
    that. (A convex psi cannot be high on the smooth images that it makes itself: they are means of sharp ones.) psi
    sees images in units of the intensity of the zero-filled ones, as the method does. Settings are those of
    `Supervised`; the rate stays as it is.
    Lunz, Oktem and Schonlieb, NeurIPS 2018. arXiv:1805.11572
    Of a convex psi: Mukherjee et al., arXiv:2008.02839.

    Raises ValueError for losses that there are not.
    """

    def __init__(self, network: nn.Module, *, losses: Mapping[str, float], rate: float, steps: int) -> None:
        super().__init__(network, losses=losses, rate=rate, steps=steps)
        self.automatic_optimization = False
        self.psi: Any = network.psi
        self.weight: Any = network.weight

    def training_step(self, example: Example, index: int) -> Tensor:
        """The difference that the critic sees. Raises ValueError where losses are not finite, as `Supervised` does."""
        optimizers: Any = self.optimizers()
        of_critic, of_weight = optimizers
        if index % _EVERY == 0:
            error = self.loss(self(example), example)
            of_weight.zero_grad()
            self.manual_backward(error)
            of_weight.step()
            self.log("loss", error, prog_bar=True, batch_size=len(example.image))
        fake, real = self.seen(example)
        of_critic.zero_grad()
        mix = torch.rand(len(fake), *[1] * (fake.ndim - 1), device=fake.device)
        difference = critic(self.psi(fake), self.psi(real))
        slopes = gradient_penalty(self.psi, fake, real, mix)
        self.manual_backward(_PENALTY * slopes - difference)
        of_critic.step()
        self.log_dict({"difference": difference, "slopes": slopes}, prog_bar=True, batch_size=len(fake))
        return difference

    def seen(self, example: Example) -> tuple[Tensor, Tensor]:
        """What psi tells apart: least squares and the truth, in units of the intensity of the zero-filled images."""
        operator = encoding(example.kspace, example.csm)
        rhs = operator.H(example.kspace.data)
        unit = intensity(rhs)
        least = cg(operator.gram, rhs, iterations=_ITERATIONS, batch_dims=range(len(example.kspace.other))).x
        return least / unit, example.image / unit

    def configure_optimizers(self) -> Any:
        """Adam for the critic, and for the weight at ten times its rate: it is one number on a logarithmic scale."""
        return [
            torch.optim.Adam(self.psi.parameters(), lr=self.rate, betas=(0.5, 0.9)),
            torch.optim.Adam([self.weight], lr=10 * self.rate),
        ]
