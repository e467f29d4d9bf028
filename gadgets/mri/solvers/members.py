"""Networks that are fitted side by side to one scan."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn


class Members(nn.Module):
    """Networks that learn each by itself, and of whose images the mean is taken: what they make up differs.

    Lakshminarayanan, Pritzel and Blundell, NeurIPS 2017. arXiv:1612.01474
    """

    def __init__(self, members: Sequence[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def mean(self, image: Callable[[nn.Module], Tensor]) -> Tensor:
        """The mean of `image(member)`."""
        return torch.stack([image(member) for member in self.members]).mean(dim=0)
