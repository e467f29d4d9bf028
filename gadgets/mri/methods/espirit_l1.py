"""SENSE with sparsity in wavelets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from gadgets.mri.calibration.sensitivities import sensitivities
from gadgets.mri.calibration.sparse_image import sparse_image
from gadgets.mri.kspace import KSpace
from gadgets.mri.operators.encoding import encoding
from gadgets.mri.operators.sensitivity import combine_sets


@dataclass(frozen=True, kw_only=True)
class EspiritL1:
    """min_x ||P F S x - y||^2 / 2 + regularisation s mean_t ||W_t x||_1 by FISTA, W_t orthogonal wavelets moved by t.

    image (*other, 1, z, y, x) from Cartesian k-space (*other, coil, k2, k1, k0), sampled at random; 0 outside the
    support of the maps. s is the intensity of the object (mean of |x| weighted with |x|) in a first image by least
    squares, so that `regularisation` has no unit: coefficients of that share of the object's intensity and below are
    taken for noise and aliasing, and those above are lowered by as much. The default of 0.005 is below what is seen on
    a screen. Coefficients of the lowest band (`levels` times halved) have no cost. `wavelet`: "haar" or "daubechies4".
    With `sets` of maps, x has as many images and (S x)_c = sum_s csm_sc x_s; the image that is returned has magnitude
    sqrt(sum_s |x_s|^2) and the phase of the first. Two serve where the object is larger than the field of view.
    Lustig, Donoho and Pauly, MRM 2007;58:1182. doi:10.1002/mrm.21391
    Maps by ESPIRiT: Uecker et al., MRM 2014;71:990. doi:10.1002/mrm.24751
    """

    regularisation: float = 0.005
    iterations: int = 40
    levels: int = 3
    wavelet: Literal["haar", "daubechies4"] = "daubechies4"
    sets: int = 1

    def __post_init__(self) -> None:
        if not self.regularisation >= 0:
            raise ValueError(f"EspiritL1.regularisation is {self.regularisation}, expected 0 or more")
        if self.iterations < 1:
            raise ValueError(f"EspiritL1.iterations is {self.iterations}, expected 1 or more")
        if self.sets < 1:
            raise ValueError(f"EspiritL1.sets is {self.sets}, expected 1 or more")

    def calibrate(self, reference: KSpace) -> Tensor:
        """Maps (*other, set * coil, z, y, x) from the fully sampled centre of `reference`."""
        return sensitivities(reference, sets=self.sets)

    def __call__(self, kspace: KSpace, calibration: Tensor) -> Tensor:
        """The image. Raises ValueError for a trajectory, for samples that are not finite, for maps of other shape.

        Raises it, too, for maps of another number of sets.
        """
        kspace.require_cartesian("espirit_l1")
        kspace.require_finite()
        operator = encoding(kspace, calibration)
        if operator.sets != self.sets:
            raise ValueError(f"csm holds {operator.sets} sets of maps, EspiritL1.sets is {self.sets}")
        image = sparse_image(
            operator,
            operator.H(kspace.data),
            regularisation=self.regularisation,
            iterations=self.iterations,
            levels=self.levels,
            wavelet=self.wavelet,
        )
        return combine_sets(image * (calibration.unflatten(-4, (self.sets, -1)) != 0).any(dim=-4))
