"""GRAPPA."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gadgets.mri.calibration.data import calibration_data, split_calibration
from gadgets.mri.calibration.grappa import grappa_fill, grappa_kernels
from gadgets.mri.calibration.sampling import Lattice, per_lattice
from gadgets.mri.calibration.unmixing import Unmixing, grappa_unmixing, unmixing
from gadgets.mri.fft import ifft
from gadgets.mri.kspace import KSpace
from gadgets.mri.operators.sensitivity import SensitivityOp


@dataclass(frozen=True, kw_only=True)
class Grappa:
    """s_c(k + t) = sum_{j,d} w_tc,jd s_j(k + d step), with weights w fitted to the calibration data; then combination.

    image (*other, 1, z, y, x) from Cartesian k-space (*other, coil, k2, k1, k0), every n-th line of which was acquired
    along k1, k2 or both, on a lattice that may be sheared (CAIPIRINHA). Which is seen in the mask of each element of
    `other`, which may differ. Samples that were acquired, calibration lines among them too, are kept as they are.
    Missing lines beyond the ends of the lattice (partial Fourier) stay zero. Coil images are combined with adaptive
    maps from the calibration data.

    Weights depend on the sampling of the data, so `calibrate` returns the calibration data with the maps, and weights
    are fitted in the call. `lines`: lines of the lattice per accelerated axis that a missing one is made from;
    `samples`: points of the readout; `damping`: Tikhonov's, relative to the mean energy of a source, to which is added
    what the noise asks for, as it is found in the calibration data (see `noise_beyond`).
    Griswold et al., MRM 2002;47:1202. doi:10.1002/mrm.10171
    Breuer et al., MRM 2006;55:549. doi:10.1002/mrm.20787
    """

    lines: int = 4
    samples: int = 5
    damping: float = 1e-3

    def calibrate(self, reference: KSpace) -> Tensor:
        """The fully sampled centre of `reference`, and maps: (*other, 2 coil, k2, k1, k0), see `calibration_data`."""
        reference.require_cartesian("grappa")
        reference.require_finite()
        return calibration_data(reference)

    def __call__(self, kspace: KSpace, calibration: Tensor) -> Tensor:
        """The image.

        Raises ValueError for a trajectory, irregular sampling, samples that are not finite, calibration data of other
        shape, and for fewer calibration lines than a kernel spans.
        """
        kspace.require_cartesian("grappa")
        kspace.require_finite()
        block, csm = split_calibration(kspace, calibration, "grappa")
        return SensitivityOp(csm).H(ifft(self._fill(kspace, block), (-3, -2, -1)))

    def unmixing(self, kspace: KSpace, calibration: Tensor) -> Unmixing:
        """How the image is made of folded coil images, with its noise and g-factor.

        It takes the samples of the lattice alone, not the calibration lines between them, and kernels go round at the
        borders of k-space: that is where its image differs. Raises ValueError as the call.
        """
        kspace.require_cartesian("grappa")
        block, csm = split_calibration(kspace, calibration, "grappa")
        blocks, maps = (x.reshape(-1, *x.shape[-4:]) for x in (block, csm))

        def solve(regular: Lattice, source: int) -> Tensor:
            return grappa_unmixing(
                self._kernels(blocks[source], regular, kspace.matrix), maps[source], shift=regular.shift
            )

        return unmixing(kspace, csm, solve, csm.conj())

    def _fill(self, kspace: KSpace, block: Tensor) -> Tensor:
        """K-space with missing samples filled, of the shape of the data."""
        data = kspace.data.reshape(-1, *kspace.data.shape[-4:])
        blocks = block.reshape(-1, *block.shape[-4:])
        # Elements that share calibration data (by broadcasting) and sampling share kernels.
        known: dict[tuple[int, ...], Tensor] = {}
        full = torch.empty_like(data)
        for index, (source, mask, regular) in enumerate(per_lattice(kspace, block.shape[:-4])):
            if regular.acceleration == 1:
                full[index] = data[index]
                continue
            key = source, *regular.steps, regular.shift
            if key not in known:
                known[key] = self._kernels(blocks[source], regular, kspace.matrix)
            full[index] = torch.where(mask, data[index], grappa_fill(data[index], known[key], regular))
        return full.reshape(kspace.data.shape)

    def _kernels(self, block: Tensor, regular: Lattice, matrix: tuple[int, int, int]) -> Tensor:
        return grappa_kernels(
            block,
            regular.steps,
            shift=regular.shift,
            lines=self.lines,
            samples=self.samples,
            damping=self.damping,
            matrix=matrix,
        )
