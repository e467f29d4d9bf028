"""How bright an image is."""

from __future__ import annotations

import torch
from torch import Tensor


def intensity(image: Tensor) -> Tensor:
    """The mean of |x| weighted with |x|, sum |x|^2 / sum |x|, of each image (*other, 1, z, y, x): (*other, 1, 1, 1, 1).

    It is that of the object, however large the empty field of view around it is, and moved by no single point; the unit
    in which weights of priors are given, so that methods scale with their input. 1 for an image of nothing.
    """
    magnitude = image.abs()
    axes = (-4, -3, -2, -1)
    total = magnitude.sum(dim=axes, keepdim=True)
    # As |x| (|x| / sum): squares of small intensities would be lost in single precision.
    mean = (magnitude * (magnitude / torch.where(total > 0, total, 1))).sum(dim=axes, keepdim=True)
    return torch.where(mean > 0, mean, 1)
