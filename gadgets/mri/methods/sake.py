"""SAKE."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gadgets.mri.calibration.sampling import require_neighbours
from gadgets.mri.calibration.walsh import walsh
from gadgets.mri.fft import ifft
from gadgets.mri.kspace import KSpace
from gadgets.mri.operators.hankel import HankelOp
from gadgets.mri.operators.sensitivity import SensitivityOp
from gadgets.mri.solvers.deadline import require_time


@dataclass(frozen=True, kw_only=True)
class Sake:
    """min_s ||P s - y||^2 subject to rank H s <= rank * (points of a patch); combination. No calibration lines needed.

    image (*other, 1, z, y, x) from Cartesian k-space (*other, coil, k2, k1, k0), sampled irregularly. H s is the matrix
    of all patches of all coils. By turns, the matrix is cut to its rank, each sample is set to the mean of its entries,
    and samples that were acquired are put back, so that they are kept as they are. The rank is cut in the space of the
    rows: eigenvectors of H^H H are as many as a patch has numbers, however many patches there are.

    `kernel`: points of a patch per axis; `rank`: of the matrix, in units of the points of a patch of one coil, and
    about 1 where the object fills the field of view. Ends after `iterations`, or when all samples together
    change by less than `tolerance`, relative. Coil images are combined with adaptive maps from the result.
    Shin et al., MRM 2014;72:959. doi:10.1002/mrm.24997
    """

    kernel: int = 6
    rank: float = 1.0
    iterations: int = 100
    tolerance: float = 1e-4

    def calibrate(self, reference: KSpace) -> None:
        """Nothing to calibrate: returns None."""

    def __call__(self, kspace: KSpace, calibration: Tensor | None = None) -> Tensor:
        """The image.

        Raises ValueError for a trajectory, for samples that are not finite, for every so many lines alone, and for a
        rank that the matrix of patches cannot have.
        """
        kspace.require_cartesian("sake")
        kspace.require_finite()
        require_neighbours(kspace, "sake")
        flat = kspace.data.reshape(-1, *kspace.data.shape[-4:])
        masks = kspace.mask.expand(*kspace.other, 1, *kspace.matrix).reshape(-1, 1, *kspace.matrix)
        full = torch.stack([self._completed(one, mask) for one, mask in zip(flat, masks, strict=True)])
        images = ifft(full.reshape(kspace.data.shape), (-3, -2, -1))
        csm, _ = walsh(images)
        return SensitivityOp(csm).H(images)

    def _completed(self, data: Tensor, mask: Tensor) -> Tensor:
        """K-space (coil, k2, k1, k0) with its missing samples."""
        patches = HankelOp(data.shape[1:], [min(self.kernel, length) for length in data.shape[1:]])
        points = torch.Size(patches.kernel).numel()
        rank, most = round(self.rank * points), len(data) * points
        if not 1 <= rank < most:
            raise ValueError(
                f"rank is {self.rank}, expected from {1 / points:.2g} to less than the {len(data)} channels"
            )
        peak = data.abs().amax()
        if bool(mask.all()) or not bool(peak > 0):
            return data
        # Squares of small intensities would be lost in single precision.
        y = data / peak
        s = y
        for _ in range(self.iterations):
            require_time()
            rows = patches(s)
            space = torch.linalg.eigh(rows.mH @ rows).eigenvectors[:, -rank:]
            new = torch.where(mask, y, patches.pseudo_inverse((rows @ space) @ space.mH))
            change = torch.linalg.vector_norm(new - s)
            s = new
            if bool(change <= self.tolerance * torch.linalg.vector_norm(s)):
                break
        return s * peak
