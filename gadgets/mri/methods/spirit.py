"""SPIRiT."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from gadgets.mri.calibration.data import calibration_data, split_calibration
from gadgets.mri.calibration.spirit import image_matrices, spirit_kernels
from gadgets.mri.fft import ifft
from gadgets.mri.kspace import KSpace
from gadgets.mri.operators.coil_mixing import CoilMixingOp
from gadgets.mri.operators.fourier import FourierOp
from gadgets.mri.operators.sampling import SamplingOp
from gadgets.mri.operators.sensitivity import SensitivityOp
from gadgets.mri.solvers.cg import cg


@dataclass(frozen=True, kw_only=True)
class Spirit:
    """min_s ||(G - 1) s||^2 subject to P s = y by conjugate gradients over the samples that are missing; combination.

    image (*other, 1, z, y, x) from Cartesian k-space (*other, coil, k2, k1, k0), sampled in any way; samples that were
    acquired are kept as they are. G makes each sample from its neighbours in all coils, with kernels from the
    calibration data; it is applied as a matrix of coils at each point of the image, which takes memory for coils^2
    numbers per point. Coil images are combined with adaptive maps from the calibration data.

    `kernel`: points per axis, odd; `damping`: Tikhonov's for the kernels, relative to the mean energy of a neighbour,
    to which is added what the noise asks for, as it is found in the calibration data (see `noise_beyond`). The number
    of `iterations` regularises; `tolerance` is the relative residual at which to stop before.
    Lustig and Pauly, MRM 2010;64:457. doi:10.1002/mrm.22428
    """

    kernel: int = 5
    damping: float = 1e-2
    iterations: int = 50
    tolerance: float = 1e-3

    def calibrate(self, reference: KSpace) -> Tensor:
        """The fully sampled centre of `reference`, and maps: (*other, 2 coil, k2, k1, k0), see `calibration_data`."""
        reference.require_cartesian("spirit")
        reference.require_finite()
        return calibration_data(reference)

    def __call__(self, kspace: KSpace, calibration: Tensor) -> Tensor:
        """The image.

        Raises ValueError for a trajectory, samples that are not finite, and calibration data of other shape.
        """
        kspace.require_cartesian("spirit")
        kspace.require_finite()
        block, csm = split_calibration(kspace, calibration, "spirit")
        images = ifft(kspace.data, (-3, -2, -1))
        if not bool(kspace.mask.all()):
            images = images + self._missing(kspace, images, block)
        return SensitivityOp(csm).H(images)

    def _missing(self, kspace: KSpace, images: Tensor, block: Tensor) -> Tensor:
        """Coil images of the samples that were not acquired."""
        kernels = spirit_kernels(block, kernel=self.kernel, damping=self.damping, matrix=kspace.matrix)
        matrices = image_matrices(kernels, kspace.matrix)
        matrices.diagonal(dim1=-5, dim2=-4).sub_(1)
        deviation = CoilMixingOp(matrices).gram
        free = FourierOp().H @ SamplingOp(~kspace.mask)
        found = cg(
            free.H @ deviation @ free,
            -free.H(deviation(images)),
            iterations=self.iterations,
            tolerance=self.tolerance,
            batch_dims=range(len(kspace.other)),
        ).x
        return free(found)
