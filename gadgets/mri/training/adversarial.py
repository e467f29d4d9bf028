"""The training of a penalty as a critic of what is reconstructed with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from gadgets.mri.calibration.intensity import intensity
from gadgets.mri.operators.encoding import encoding
from gadgets.mri.training.losses import critic, gradient_penalty, mse
from gadgets.mri.training.simulation import Example
from gadgets.mri.training.supervised import Supervised

# Weight of the condition on slopes, that of its authors.
_PENALTY = 10.0


class Adversarial(Supervised):
    """Trains `network.psi` to be low on true images and high on least squares, and `network.weight` by its error.

    Each batch is reconstructed with psi and without it. Then psi goes a step up the difference of its means between
    what came without it and the truth, its slope kept below 1, and the weight a step down the square error of what came
    with it. (A convex psi cannot be high on the smooth images that it makes itself: they are means of sharp ones.)
    Both see images in units of the intensity of the zero-filled ones, as the method does. Settings are those of
    `Supervised`; `losses` stands in the card only.
    """

    def __init__(self, network: nn.Module, *, losses: Mapping[str, float], rate: float, steps: int) -> None:
        super().__init__(network, losses=losses, rate=rate, steps=steps)
        self.automatic_optimization = False
        self.psi: Any = network.psi
        self.weight: Any = network.weight

    def training_step(self, example: Example, index: int) -> Tensor:
        """The difference that the critic sees."""
        optimizers: Any = self.optimizers()
        of_critic, of_weight = optimizers
        made = self(example)
        with torch.no_grad():
            least = self.network(example.kspace, example.csm, factor=0.0)
        operator = encoding(example.kspace, example.csm)
        unit = intensity(operator.H(example.kspace.data))
        of_weight.zero_grad()
        error = mse(made, example.image)
        self.manual_backward(error)
        of_weight.step()
        of_critic.zero_grad()
        fake, real = least / unit, example.image / unit
        mix = torch.rand(unit.shape, device=unit.device, dtype=unit.dtype)
        psi = self.psi
        difference = critic(psi(fake), psi(real))
        slopes = gradient_penalty(psi, fake, real, mix)
        self.manual_backward(_PENALTY * slopes - difference)
        of_critic.step()
        self.log_dict({"loss": error, "difference": difference, "slopes": slopes}, prog_bar=True, batch_size=len(made))
        return difference

    def configure_optimizers(self) -> Any:
        """Adam for the critic, and for the weight at ten times its rate: it is one number on a logarithmic scale."""
        return [
            torch.optim.Adam(self.psi.parameters(), lr=self.rate, betas=(0.5, 0.9)),
            torch.optim.Adam([self.weight], lr=10 * self.rate),
        ]
