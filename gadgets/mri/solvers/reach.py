"""How far what was acquired tells of what was not."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import max_pool3d


def reached(mask: Tensor, points: int) -> Tensor:
    """Where a sample is within so many points along each axis, or is one: (1, k2, k1, k0) from a mask of that shape.

    Coil sensitivities are smooth: k-space of a coil image is that of the image, blurred by a kernel of a few points.
    Of what is farther from all samples than the kernel reaches, these say nothing.
    """
    size = [min(2 * points + 1, 2 * length - 1) for length in mask.shape[-3:]]
    padding = [width // 2 for width in size]
    return max_pool3d(mask.float(), size, stride=1, padding=padding) > 0


def mirrored(mask: Tensor) -> Tensor:
    """Where conjugates of samples are, about the centre of the last two axes: (*, k1, k0) from a mask of that shape.

    They are k-space of the conjugate of the image.
    """
    # The centre of an even number of points is not in their middle.
    return mask.flip((-2, -1)).roll([1 - length % 2 for length in mask.shape[-2:]], (-2, -1))
