"""What K-UNN is held against."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from gadgets.mri.fft import ifft
from gadgets.mri.kspace import KSpace
from gadgets.mri.methods import Method
from gadgets.mri.methods.adaptive_combine import AdaptiveCombine
from gadgets.mri.methods.homodyne import Homodyne
from gadgets.mri.methods.pocs_partial_fourier import PocsPartialFourier
from gadgets.mri.methods.sake import Sake
from tests.benchmarks.k_unn_scans import combined
from tests.support.heads import decibels

RANKS = (0.3, 0.6, 0.9, 1.3)
# These take the phase to be smooth, too.
SMOOTH: dict[str, Method] = {"homodyne": Homodyne(), "pocs": PocsPartialFourier()}


@dataclass(frozen=True, kw_only=True)
class BestSake(Sake):
    """SAKE with the rank that is best against the truth."""

    truth: Tensor

    def __call__(self, kspace: KSpace, calibration: None = None) -> Tensor:
        ranks = [rank for rank in RANKS if rank < kspace.n_coils]
        return max((Sake(rank=rank)(kspace) for rank in ranks), key=lambda image: decibels(image, self.truth))


@dataclass(frozen=True, kw_only=True)
class Zeros(AdaptiveCombine):
    """What was not acquired is 0."""

    def __call__(self, kspace: KSpace, calibration: Tensor) -> Tensor:
        return combined(ifft(kspace.data, (-2, -1)))
