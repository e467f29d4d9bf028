"""Implicit neural representation."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from gadgets.mri.calibration.sensitivities import sensitivities
from gadgets.mri.calibration.splits import splitter
from gadgets.mri.kspace import KSpace
from gadgets.mri.networks.field import Field
from gadgets.mri.networks.fourier_features import FourierFeatures
from gadgets.mri.solvers.fit import State
from gadgets.mri.solvers.generator import Schedule, generated


@dataclass(frozen=True, kw_only=True)
class Inr:
    """min_p ||P F S G_p - y||^2, G_p(r) = MLP_p(Fourier features of the place r), ended before it fits the noise of y.

    image (*other, 1, z, y, x) from k-space (*other, coil, k2, k1, k0), Cartesian or along a trajectory; 0 outside the
    support of the maps. No data but the scan's are needed, and time: the network of `layers` of `width` is fitted to
    each volume anew, from the same `seed`, by `iterations` of Adam. The frequencies of the features deviate by
    `bandwidth` of the highest that the matrix can show: the larger, the finer the details, and the sooner noise.

    `held_out`, a share of the samples, is not fitted but foretold, and the iterate that foretells it best is the image;
    0 for none, which keeps the last. `patience`: after how many looks, 25 iterations each, without a better iterate to
    stop, 0 for never.

    `fitted` gives the parameters too, from which a slice or frame that is alike may start: `warm_iterations` are then
    done.
    Tancik et al., NeurIPS 2020. arXiv:2006.10739
    Mildenhall et al., ECCV 2020:405. doi:10.1007/978-3-030-58452-8_24
    Maps by ESPIRiT: Uecker et al., MRM 2014;71:990. doi:10.1002/mrm.24751
    """

    iterations: int = 1500
    warm_iterations: int = 400
    rate: float = 0.002
    width: int = 128
    layers: int = 2
    bandwidth: float = 0.25
    held_out: float = 0.1
    patience: int = 0
    seed: int = 0

    def calibrate(self, reference: KSpace) -> Tensor:
        """Maps (*other, coil, z, y, x) from the fully sampled centre of `reference`."""
        return sensitivities(reference)

    def fitted(self, kspace: KSpace, calibration: Tensor, *, start: State | None = None) -> tuple[Tensor, State]:
        """The image, and the state of the network of the last volume. Raises as `__call__` does.

        Raises ValueError, too, for a `start` of a network of another size.
        """
        return generated(
            kspace,
            calibration,
            self._generator,
            Schedule(
                iterations=self.iterations,
                warm_iterations=self.warm_iterations,
                rate=self.rate,
                patience=self.patience,
            ),
            divide=splitter(self.held_out, self.seed),
            start=start,
        )

    def __call__(self, kspace: KSpace, calibration: Tensor) -> Tensor:
        """The image. Raises ValueError for samples that are not finite and for maps of other shape."""
        return self.fitted(kspace, calibration)[0]

    def _generator(self, matrix: tuple[int, int, int]) -> nn.Module:
        encoding = FourierFeatures([self.bandwidth * (length // 2) for length in matrix], seed=self.seed)
        return Field(encoding, matrix, width=self.width, layers=self.layers, seed=self.seed)
