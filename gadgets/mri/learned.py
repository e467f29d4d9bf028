"""Methods whose numbers were trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from gadgets.mri.calibration.sensitivities import sensitivities
from gadgets.mri.kspace import KSpace
from gadgets.mri.models.card import ModelCard
from gadgets.mri.models.trained import trained


@dataclass(frozen=True, kw_only=True)
class Learned:
    """What methods with trained weights share: maps, the weights of a model, and what they refuse.

    Such a method is its paper and the class of its network; network(kspace, csm) gives the image (*other, 1, z, y, x).
    The name that model cards know it by is that of its file. model: the name of a model card, or its path. precision:
    "fp32" or, for methods whose `precisions` have it, "bf16" within the networks; what the data are compared with stays
    in single precision.

    Raises ValueError for a precision that the method does not have.
    """

    network: ClassVar[type[nn.Module]]
    precisions: ClassVar[tuple[str, ...]] = ("fp32",)

    model: str
    precision: str = "fp32"

    def __post_init__(self) -> None:
        if self.precision not in self.precisions:
            raise ValueError(
                f"{type(self).__name__}.precision is {self.precision!r}; there are: {', '.join(self.precisions)}"
            )

    @classmethod
    def name(cls) -> str:
        """The name of the method."""
        return cls.__module__.rpartition(".")[-1]

    def calibrate(self, reference: KSpace) -> Tensor:
        """Maps (*other, coil, z, y, x) from the fully sampled centre of `reference`."""
        return sensitivities(reference)

    def trained(self, device: torch.device) -> tuple[nn.Module, ModelCard]:
        """The network on a device, and its card; see `gadgets.mri.models.trained`."""
        return trained(self.model, self.name(), self.network, device)

    def reconstruct(self, network: nn.Module, kspace: KSpace, csm: Tensor) -> Tensor:
        """The image that the trained network makes of k-space, with the settings of the method."""
        image: Tensor = network(kspace, csm)
        return image

    def __call__(self, kspace: KSpace, calibration: Tensor) -> Tensor:
        """The image, 0 outside the support of the maps.

        Raises ValueError for a trajectory, for samples that are not finite, for maps of other shape.
        """
        kspace.require_cartesian(self.name())
        kspace.require_finite()
        network, _ = self.trained(kspace.data.device)
        # Not inference mode: methods that descend a network take its gradient.
        half = torch.autocast(kspace.data.device.type, torch.bfloat16, enabled=self.precision == "bf16")
        with torch.no_grad(), half:
            image = self.reconstruct(network, kspace, calibration)
        return image * (calibration != 0).any(dim=-4, keepdim=True)
