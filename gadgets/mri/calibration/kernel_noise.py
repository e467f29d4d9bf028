"""What noise costs beyond the calibration data that kernels of k-space are fitted to."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import torch
from torch import Tensor


def noise_beyond(sources: Tensor, block: Sequence[int], matrix: Sequence[int]) -> Tensor:
    """Tikhonov's damping of sum |t - w s|^2 over all places, for kernels w that are used in all of k-space.

    sources: (source, line, place along k0), from the `block` (k2, k1, k0) of n samples; `matrix` (k2, k1, k0): the N
    samples of k-space. What is to be least is the expected error over all of them. Sources have noise, of variance v.
    The fit to the block counts it already: there it expects n v ||w||^2 beside the error of the signal. In the N - n
    samples further out signal is weak, and their error is mostly noise, (N - n) v ||w||^2: this is what the fit leaves
    out, in the measure of its places, v (N / n - 1) for each. It is nothing where noise is little, or the block is all
    of k-space. v is taken from the sources, see `source_noise`, so that it need not be known.

    Cross-validation within the block, even generalised (Golub, Heath and Wahba, doi:10.1080/00401706.1979.10489751),
    cannot find it: it looks at the centre of k-space alone, where signal is strong, and damps too little.
    """
    places = sources[0].numel()
    return max(0.0, prod(matrix) / prod(block) - 1) * places * source_noise(sources)


def source_noise(sources: Tensor) -> Tensor:
    """Variance of the noise in sources (source, line, place along k0), from below.

    Of the covariance of sources in the outer half of the readout, where signal is weakest, each eigenvalue is the noise
    and what signal adds. Signals of smooth coils fill few dimensions: the lowest eigenvalues are noise, and the eighth
    part of them is sure to be. Of few places eigenvalues spread, and the lowest are below the variance, down to 0 where
    places are fewer than sources: then nothing is known of the noise.
    Marchenko and Pastur, Math USSR Sbornik 1967;1:457. doi:10.1070/sm1967v001n04abeh001994
    """
    edge = sources.shape[2] // 4
    outer = torch.cat([sources[..., :edge], sources[..., sources.shape[2] - edge :]], dim=-1).flatten(1)
    covariance = (outer @ outer.mH).to(torch.complex128) / max(1, outer.shape[1])
    return torch.linalg.eigvalsh(covariance)[len(covariance) // 8].clamp_min(0)
