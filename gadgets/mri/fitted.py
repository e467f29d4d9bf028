"""Methods whose network is fitted to the scan that it reconstructs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from torch import Tensor, nn

from gadgets.mri.calibration.sensitivities import sensitivities
from gadgets.mri.calibration.splits import splitter
from gadgets.mri.calibration.zero_shot import Alternation, Samples, reconstruct
from gadgets.mri.kspace import KSpace
from gadgets.mri.solvers.fit import State
from gadgets.mri.solvers.generator import Schedule, Weights, generated


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """What such methods share: maps, how long they are fitted, and that a fit may start from another.

    iterations: of Adam, from numbers drawn from `seed`; warm_iterations: from those of another fit. rate: Adam's in the
    beginning. width: of the network.
    """

    iterations: int
    warm_iterations: int
    rate: float
    width: int
    seed: int = 0

    def calibrate(self, reference: KSpace) -> Tensor:
        """Maps (*other, coil, z, y, x) from the fully sampled centre of `reference`."""
        return sensitivities(reference)

    def fitted(self, kspace: KSpace, calibration: Tensor, *, start: State | None = None) -> tuple[Tensor, State]:
        """The image, and the state of the network of the last volume, from which others may start.

        Raises as `__call__` does, and ValueError for a `start` of another network.
        """
        raise NotImplementedError(f"{type(self).__name__}.fitted")

    def __call__(self, kspace: KSpace, calibration: Tensor) -> Tensor:
        """The image. Raises ValueError for samples that are not finite, and for maps of other shape."""
        return self.fitted(kspace, calibration)[0]


@dataclass(frozen=True, kw_only=True)
class Generated(Fitted):
    """Those whose network makes the image out of nothing. Such a method is its paper, and what makes its network.

    No data but the scan's are needed, and time: the network is fitted to each volume anew. It learns the image before
    the noise. Cartesian k-space out of the reach of all samples, as one side that is missing, stays near 0.

    members: how many networks there are, drawn from numbers that differ, of whose images the mean is taken; iterations
    are of each. held_out: a share of the samples that is not fitted but foretold, another for each network, and stands
    for all of k-space; the image is the mean of those that foretell it about as well as the best one. 0 for none, which
    keeps the last. patience: after how many times 25 iterations without a better iterate to stop, 0 for never.
    """

    iterations: int = 1500
    warm_iterations: int = 400
    members: int = 1
    held_out: float = 0.1
    patience: int = 0

    def __post_init__(self) -> None:
        if self.members < 1:
            raise ValueError(f"{type(self).__name__}.members is {self.members}, expected 1 or more")

    def generator(self, matrix: tuple[int, int, int], seed: int) -> nn.Module:
        """What, called with nothing, gives the image (1, z, y, x) of a volume, as it is drawn from `seed`."""
        raise NotImplementedError(f"{type(self).__name__}.generator")

    def weights(self, seen: KSpace, scale: Tensor, iterations: int) -> Weights | None:
        """Weights of the samples that are fitted, as for `generated`; None: they are 1."""
        return None

    def fitted(self, kspace: KSpace, calibration: Tensor, *, start: State | None = None) -> tuple[Tensor, State]:
        return generated(
            kspace,
            calibration,
            self.generator,
            Schedule(
                iterations=self.iterations,
                warm_iterations=self.warm_iterations,
                rate=self.rate,
                patience=self.patience,
            ),
            # The first is what it is alone.
            seeds=[self.seed, *map(int, np.random.SeedSequence(self.seed).generate_state(self.members - 1))],
            divide=splitter(self.held_out),
            weights=self.weights,
            start=start,
        )


@dataclass(frozen=True, kw_only=True)
class ZeroShot(Fitted):
    """Those whose unrolled network has to predict samples from others. Such a method is its paper, and its network.

    unrolled: alternations of network and data. tolerance: by what part of the least error of held-out samples others
    may lie above it, for their images to be averaged. members: how many networks there are, of whose images the mean
    is taken.
    """

    tolerance: ClassVar[float] = 0.0
    members: ClassVar[int] = 1

    iterations: int = 200
    warm_iterations: int = 50
    unrolled: int = 5

    def alternation(self, csm: Tensor) -> Alternation:
        """What is fitted to a volume of maps (coil, z, y, x)."""
        raise NotImplementedError(f"{type(self).__name__}.alternation")

    def penalty(self, x: Tensor, z: Tensor, training: Samples) -> Tensor | float:
        """What is added to the loss, of the last x, its z, and the samples of the training; 0 for nothing."""
        return 0.0

    def fitted(self, kspace: KSpace, calibration: Tensor, *, start: State | None = None) -> tuple[Tensor, State]:
        return reconstruct(
            self.alternation,
            kspace,
            calibration,
            iterations=self.iterations if start is None else self.warm_iterations,
            rate=self.rate,
            seed=self.seed,
            tolerance=self.tolerance,
            members=self.members,
            start=start,
            penalty=self.penalty,
        )
