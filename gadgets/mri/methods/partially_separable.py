"""Series of images as sums of a few images, each with a course in time that k-space shows."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from gadgets.mri.calibration.sensitivities import sensitivities
from gadgets.mri.calibration.time_average import time_average
from gadgets.mri.kspace import KSpace
from gadgets.mri.operators.encoding import encoding
from gadgets.mri.operators.identity import IdentityOp
from gadgets.mri.operators.subspace import SubspaceOp
from gadgets.mri.solvers.cg import cg


@dataclass(frozen=True, kw_only=True)
class PartiallySeparable:
    """min_c ||P F S Phi c - y||^2 + damping ||c||^2 by conjugate gradients; the images are Phi c.

    images (*other, 1, z, y, x) from Cartesian k-space (*other, coil, k2, k1, k0), the last axis of `other` being time;
    0 outside the support of the maps. Phi are the `rank` orthonormal courses in time (fewer where there are fewer
    frames) that are nearest to the samples that every frame has, such as central lines: they are found anew in each
    series. c are as many images. Elsewhere frames should be sampled at different places. `damping` is on the scale of
    the maps, for which S^H F^H F S = 1 within the support. `tolerance`: relative residual of the normal equations at
    which to stop before `iterations`.
    Liang, IEEE ISBI 2007:988. doi:10.1109/ISBI.2007.357020
    Maps by ESPIRiT: Uecker et al., MRM 2014;71:990. doi:10.1002/mrm.24751
    """

    rank: int = 6
    iterations: int = 60
    damping: float = 1e-3
    tolerance: float = 1e-4

    def __post_init__(self) -> None:
        if self.rank < 1:
            raise ValueError(f"PartiallySeparable.rank is {self.rank}, expected 1 or more")

    def calibrate(self, reference: KSpace) -> Tensor:
        """Maps (*other, coil, z, y, x), 1 along time, from the fully sampled centre of all frames together."""
        reference.require_cartesian("partially_separable")
        reference.require_finite()
        return sensitivities(time_average(reference))

    def __call__(self, kspace: KSpace, calibration: Tensor) -> Tensor:
        """The images.

        Raises ValueError for a trajectory, a single frame, samples that are not finite, maps of other shape, and where
        no sample is common to all frames.
        """
        kspace.require_cartesian("partially_separable")
        kspace.require_finite()
        kspace.require_series("partially_separable")
        kspace.require_maps(calibration)
        operator = encoding(kspace, calibration)
        courses = SubspaceOp.from_signals(_common(kspace), min(self.rank, kspace.other[-1]))
        whole = operator @ courses
        coefficients = cg(
            whole.gram + self.damping * IdentityOp(),
            whole.H(kspace.data),
            iterations=self.iterations,
            tolerance=self.tolerance,
            batch_dims=range(len(kspace.other) - 1),
        ).x
        return courses(coefficients)


def _common(kspace: KSpace) -> Tensor:
    """Courses (*series, sample, time) of the samples that every frame has; 0 at the others."""
    every = kspace.mask.all(dim=-5, keepdim=True)
    there = every.expand(*kspace.other[:-1], 1, *every.shape[-4:]).flatten(-5).any(dim=-1)
    if not bool(there.all()):
        raise ValueError(
            "partially_separable learns courses in time from samples that every frame has, such as central lines, but "
            f"{int((~there).sum())} of {there.numel()} series of {kspace.other[-1]} frames have none"
        )
    # Samples that no frame of any series shares need not be looked at.
    used = every.reshape(-1, *every.shape[-3:]).any(dim=0)
    signals: Tensor = (kspace.data * every)[..., used.expand(kspace.matrix)]
    return signals.flatten(-2).mT
