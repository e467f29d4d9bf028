"""The training of a reconstruction network, as Lightning runs it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytorch_lightning as lightning
import torch
from torch import Tensor, nn

from gadgets.mri.operators.encoding import encoding
from gadgets.mri.training.losses import LOSSES, held_out
from gadgets.mri.training.robustness import denoising, noise_gain
from gadgets.mri.training.simulation import Example


class Supervised(lightning.LightningModule):
    """Trains `network(kspace, csm)` by a weighted sum of losses, with Adam and a rate that rises and falls.

    losses: weights by name, of `LOSSES`, which look at the truth, of `held_out`, which looks at `Example.held_out`
    only, of `noise_gain`, which looks at what becomes of more noise, and makes each image twice, and of `denoising`,
    for networks with a `denoiser` that is told the noise; where that is all, no image is reconstructed. rate: the
    largest learning rate; it rises over the first 5 % of `steps` and falls to 0 as a cosine. Gradients longer than 1
    are cut by the trainer's `gradient_clip_val`.

    Raises ValueError for losses that there are not, and for `denoising` where the network has no such part.
    """

    def __init__(self, network: nn.Module, *, losses: Mapping[str, float], rate: float, steps: int) -> None:
        super().__init__()
        known = (*LOSSES, "denoising", "held_out", "noise_gain")
        unknown = sorted(set(losses) - set(known))
        if unknown or not losses:
            raise ValueError(f"there is no loss {', '.join(unknown) or 'given'}; there are: {', '.join(known)}")
        if "denoising" in losses and getattr(network, "denoiser", None) is None:
            raise ValueError("the loss denoising needs a network with a denoiser that is told the noise")
        self.network, self.losses, self.rate, self.steps = network, dict(losses), rate, steps

    def forward(self, example: Example) -> Tensor:
        """The image that the network makes of the scans."""
        image: Tensor = self.network(example.kspace, example.csm)
        return image

    def training_step(self, example: Example, index: int) -> Tensor:
        """The loss of a batch. Raises ValueError where it is not finite, or misses samples that it is to look at."""
        image = example.image if set(self.losses) == {"denoising"} else self(example)
        total = self.loss(image, example)
        self.log("loss", total, prog_bar=True, batch_size=len(example.image))
        return total

    def loss(self, image: Tensor, example: Example) -> Tensor:
        """The weighted sum of the losses of an image. Raises ValueError as `training_step`."""
        total = torch.zeros((), device=image.device)
        for name, weight in self.losses.items():
            if name == "held_out":
                if example.held_out is None:
                    raise ValueError("the loss held_out needs a share of samples to hold out")
                value = held_out(image, example.held_out, example.csm)
            elif name == "denoising":
                assert isinstance(self.network.denoiser, nn.Module)
                value = denoising(self.network.denoiser, example.image, self.global_step)
            elif name == "noise_gain":
                value = noise_gain(self.network, example, image, self.global_step)
            else:
                value = LOSSES[name](image, example.image)
            total = total + weight * value
        if not torch.isfinite(total):
            raise ValueError(f"the loss after {self.global_step} steps is {float(total)}")
        return total

    def validation_step(self, example: Example, index: int) -> None:
        """PSNR in dB of the network and of zero filling, against the truth."""
        zero_filled = encoding(example.kspace, example.csm).H(example.kspace.data)
        for name, image in (("psnr", self(example)), ("zero_filled", zero_filled)):
            self.log(
                name, psnr(image, example.image), prog_bar=True, on_epoch=True, batch_size=len(image), sync_dist=True
            )

    def configure_optimizers(self) -> Any:
        """Adam, with a learning rate by step; ten times as high for what is no layer: few numbers on wide scales."""
        named = list(self.network.named_parameters())
        kernels = [parameter for name, parameter in named if "." in name]
        numbers = [parameter for name, parameter in named if "." not in name]
        groups = [(some, rate) for some, rate in ((kernels, self.rate), (numbers, 10 * self.rate)) if some]
        optimizer = torch.optim.Adam([{"params": some, "lr": rate} for some, rate in groups])
        # A cycle of one step has no rise and no fall.
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer,
            [rate for _, rate in groups],
            total_steps=max(self.steps, 2),
            pct_start=0.05,
            cycle_momentum=False,
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def psnr(image: Tensor, truth: Tensor) -> Tensor:
    """20 log10(max |truth| / rms(|image| - |truth|)) in dB, the mean over the slices of (*other, 1, z, y, x)."""
    axes = (-4, -3, -2, -1)
    peak = truth.abs().amax(dim=axes)
    error = (image.abs() - truth.abs()).square().mean(dim=axes).sqrt()
    tiny = torch.finfo(error.dtype).tiny
    return 20 * torch.log10(peak.clamp_min(tiny) / error.clamp_min(tiny)).mean()
