"""K-UNN."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from gadgets.mri.calibration.intensity import intensity
from gadgets.mri.calibration.sampling import require_neighbours
from gadgets.mri.calibration.splits import split
from gadgets.mri.calibration.walsh import walsh
from gadgets.mri.fft import fft, ifft
from gadgets.mri.kspace import KSpace
from gadgets.mri.networks.conv_decoder import ConvDecoder
from gadgets.mri.networks.kernel_decoder import KernelDecoder
from gadgets.mri.operators.finite_difference import FiniteDifferenceOp
from gadgets.mri.operators.sensitivity import SensitivityOp
from gadgets.mri.solvers.deadline import share
from gadgets.mri.solvers.fit import State, fit, load

_PLANE = (-2, -1)
# Of the intensity: below it, neither magnitudes nor lengths of differences have a corner at 0, where no gradient is.
_ROUNDED = 1e-4


class KUnnNetwork(nn.Module):
    """What `KUnn` fits to one plane: coil images from nothing but parameters, each of them twice, c x and c p conj(x).

    K-space of x is what a `ConvDecoder` makes, divided by h = |k|^filter; c and p are `KernelDecoder`s. Without
    `phase`, coil images are c x alone.
    """

    weight: Tensor

    def __init__(
        self,
        coils: int,
        matrix: Sequence[int],
        *,
        width: int = 64,
        layers: int = 5,
        kernel: int = 7,
        filter: float = 0.6,
        phase: bool = True,
    ) -> None:
        super().__init__()
        self.content = ConvDecoder(2, matrix, width=width, layers=layers)
        self.coils = KernelDecoder(coils, matrix, kernel=kernel)
        self.phase = KernelDecoder(1, matrix, kernel=kernel) if phase else None
        k1, k0 = (2 * (torch.arange(n) - n // 2) / n for n in matrix)
        # The centre weighs as a point half a cell from it.
        radius = (k1[:, None].square() + k0.square()).sqrt().clamp_min(1 / max(matrix))
        self.register_buffer("weight", radius**filter, persistent=False)

    def forward(self) -> Tensor:
        """The coil images (estimate, coil, y, x), of one estimate or of two."""
        real, imaginary = self.content().chunk(2)
        x = ifft(torch.complex(real, imaginary) / self.weight, _PLANE)
        estimates = x if self.phase is None else torch.cat([x, self.phase() * x.conj()])
        return estimates[:, None] * self.coils()


@dataclass(frozen=True, kw_only=True)
class KUnn:
    """min_w ||h P (F c x - y)||^2 + ||h P (F c p conj(x) - y)||^2 + tv TV(rho) by Adam, for partial Fourier above all.

    image (*other, 1, z, y, x) from Cartesian k-space (*other, coil, k2, k1, k0), plane by plane, without calibration
    lines. x, c and p are untrained networks with parameters w, fitted to the samples of the one plane. Three priors
    fill what was not acquired: the image is sparse (rho, the magnitude of all coil images, has few edges); coil
    sensitivities c are smooth, `kernel` points per axis in k-space; and so is the phase p by which an image differs
    from its conjugate, whose k-space is mirrored about the centre. Missing samples are the mean of the two estimates;
    samples that were acquired are put back as they are, with their noise. Coil images are combined with adaptive maps
    from the result. Here, conjugates are seen with the same sensitivities as the image; the paper gives them others.

    `filter`: h = |k|^filter, so that the edge of k-space counts; 0 for none. `tv`: weight of the mean length of
    differences, relative to the intensity; misfits are relative too. `phase`: whether the phase is smooth; without it,
    where one side of k-space is missing, it stays so. With it, a phase that is not smooth, as in gradient echoes near
    air, makes fringes. `width` and `layers` are those of the network of x. A share `held_out` of the samples is not
    fitted: the iterate is kept that foretells them best. `seed`: of the parameters' first values and of that choice.
    Cui et al., arXiv:2208.05827. doi:10.48550/arXiv.2208.05827
    """

    iterations: int = 400
    warm_iterations: int = 100
    rate: float = 3e-3
    width: int = 64
    layers: int = 5
    kernel: int = 7
    filter: float = 0.6
    tv: float = 0.5
    phase: bool = True
    held_out: float = 0.05
    seed: int = 0

    def __post_init__(self) -> None:
        if not (self.filter >= 0 and self.tv >= 0):
            raise ValueError(f"KUnn.filter is {self.filter} and KUnn.tv {self.tv}, expected 0 or more")
        if not 0 < self.held_out < 1:
            raise ValueError(f"KUnn.held_out is {self.held_out}, expected more than 0 and less than 1")
        if self.iterations < 1 or self.warm_iterations < 1:
            given = f"KUnn.iterations is {self.iterations} and KUnn.warm_iterations {self.warm_iterations}"
            raise ValueError(f"{given}, expected 1 or more")

    def calibrate(self, reference: KSpace) -> None:
        """Nothing to calibrate: returns None."""

    def __call__(self, kspace: KSpace, calibration: Tensor | None = None) -> Tensor:
        """The image. Raises what `fitted` raises."""
        return self.fitted(kspace, calibration)[0]

    def fitted(
        self, kspace: KSpace, calibration: Tensor | None = None, *, start: State | None = None
    ) -> tuple[Tensor, State]:
        """The image, and the state of the last plane's networks.

        start: such a state of k-space alike, from which every plane begins, with `warm_iterations` to go; an empty one
        is none. Planes with all of their samples, and those without a signal, need no fit; where there are no others,
        the state is still `start`, or empty.

        Raises ValueError for a trajectory, for samples that are not finite, for every so many lines alone, where
        sampling changes along k2, and for a state of other networks.
        """
        kspace.require_cartesian("k_unn")
        kspace.require_finite()
        require_neighbours(kspace, "k_unn")
        if (kspace.mask != kspace.mask[..., :1, :, :]).any():
            raise ValueError(
                "k_unn fits plane by plane, but sampling changes along k2: expected the same for all of it"
            )
        planes = ifft(kspace.data, (-3,)).movedim(-3, -4)
        masks = kspace.mask[..., :1, :, :].expand(*planes.shape[:-3], 1, *kspace.matrix[1:])
        masks = masks.reshape(-1, 1, *kspace.matrix[1:])
        state = start or {}
        full = []
        for left, data, mask in zip(
            range(len(masks), 0, -1), planes.reshape(-1, *planes.shape[-3:]), masks, strict=True
        ):
            if bool(mask.all()) or not bool(data.any()):
                full.append(data)
                continue
            network = self._network(kspace, start)
            with share(left):
                full.append(self._completed(network, data, mask, warm=bool(start)))
            state = network.state_dict()
        images = ifft(torch.stack(full).reshape(planes.shape), _PLANE).movedim(-4, -3)
        csm, _ = walsh(images)
        return SensitivityOp(csm).H(images), {name: value.clone() for name, value in state.items()}

    def _network(self, kspace: KSpace, start: State | None) -> KUnnNetwork:
        """The networks as they begin."""
        with torch.random.fork_rng(devices=[]):
            # Of this generator alone: torch.manual_seed would move those of devices, too.
            torch.default_generator.manual_seed(self.seed)
            network = KUnnNetwork(
                kspace.n_coils,
                kspace.matrix[1:],
                width=self.width,
                layers=self.layers,
                kernel=self.kernel,
                filter=self.filter,
                phase=self.phase,
            )
        if start:
            load(network, start)
        return network.to(kspace.data.device)

    def _completed(self, network: KUnnNetwork, data: Tensor, mask: Tensor, *, warm: bool) -> Tensor:
        """K-space (coil, k1, k0) with its missing samples, by networks that are fitted to it."""
        h, size = network.weight, _size(data, mask, network.weight)
        y = data / size
        random = np.random.default_rng(self.seed)
        seen, left = split(KSpace(data=y[:, None], mask=mask[:, None]), self.held_out, random)
        unit = intensity(torch.linalg.vector_norm(ifft(y, _PLANE), dim=0)[None, None])[0, 0]
        fitted, judged = (_relative(h * part.mask[0, 0], y) for part in (seen, left))
        gradient = FiniteDifferenceOp(_PLANE)

        def loss(_: int) -> Tensor:
            images = network()
            energy = images.abs().square().sum(dim=1).mean(dim=0) / unit.square()
            edges = gradient((energy + _ROUNDED**2).sqrt()).square().sum(dim=0)
            return _misfit(fitted, images, y) + self.tv * (edges + _ROUNDED**2).sqrt().mean()

        iterations = self.warm_iterations if warm else self.iterations
        # A warm fit is the end of a long one, with its rate: more would undo what was found.
        share = min(iterations / self.iterations, 1.0)
        rate = self.rate * math.sin(math.pi / 2 * share) ** 2
        fit(network, loss, iterations=iterations, rate=rate, validate=lambda: _misfit(judged, network(), y))
        with torch.no_grad():
            return torch.where(mask, data, fft(network().mean(dim=0), _PLANE) * size)


def _size(data: Tensor, mask: Tensor, weight: Tensor) -> Tensor:
    """The root mean square of weighted samples (coil, k1, k0), the coils of each taken together."""
    # Squares of small intensities would be lost in single precision.
    peak = data.abs().amax()
    return peak * ((weight * (data / peak).abs()).square().sum() / mask.sum()).sqrt()


def _relative(weight: Tensor, y: Tensor) -> Tensor:
    """The weight of samples, such that the norm of all of y is 1."""
    norm = torch.linalg.vector_norm(weight * y)
    return weight / torch.where(norm > 0, norm, 1)


def _misfit(weight: Tensor, images: Tensor, y: Tensor) -> Tensor:
    """How far estimates of coil images (estimate, coil, y, x) are from the samples: mean squared norm, weighted."""
    difference = torch.view_as_real(weight * (fft(images, _PLANE) - y))
    return difference.square().sum() / len(images)
