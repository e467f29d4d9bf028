"""Where in k-space the echo is."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

_PLANE = (-2, -1)


@dataclass(frozen=True, kw_only=True, eq=False)
class Echo:
    """The strongest sample of a plane of k-space.

    offset: its place from the centre along (k1, k0), in points. phases: exp(i phase) of that sample in each coil,
    (coil, 1, 1); 1 where there is none. strengths: its magnitudes (coil,), of norm 1, if there is a signal. A delay of
    the gradients, or a gradient in the object, displaces the echo, and with it the centre about which k-space of an
    image of smooth phase resembles its own mirror image.
    """

    offset: tuple[int, int]
    phases: Tensor
    strengths: Tensor

    def centred(self, data: Tensor) -> Tensor:
        """K-space (coil, k1, k0), around its borders, with the echo in the centre, where all coils have phase 0."""
        return (self.phases.conj() * data).roll([-offset for offset in self.offset], _PLANE)

    def displaced(self, data: Tensor) -> Tensor:
        """K-space as it came, from what `centred` gives."""
        return self.phases * data.roll(self.offset, _PLANE)

    def centred_mask(self, mask: Tensor) -> Tensor:
        """Where there are samples (*, k1, k0), displaced as `centred` displaces them."""
        return mask.roll([-offset for offset in self.offset], _PLANE)


def echo(data: Tensor) -> Echo:
    """The echo of k-space (coil, k1, k0): the point at which the sum of all coils' magnitudes is largest."""
    strength = data.abs().sum(dim=0)
    at = divmod(int(strength.argmax()), strength.shape[1])
    sample = data[:, at[0], at[1], None, None]
    size = sample.abs()
    phases = torch.where(size > 0, sample / torch.where(size > 0, size, 1), 1)
    strengths = size.flatten() / size.max().clamp_min(torch.finfo(size.dtype).tiny)
    return Echo(
        offset=(at[0] - strength.shape[0] // 2, at[1] - strength.shape[1] // 2),
        phases=phases,
        strengths=strengths / torch.linalg.vector_norm(strengths).clamp_min(1),
    )
