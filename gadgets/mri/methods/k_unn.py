"""K-UNN."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gadgets.mri.calibration.echo import echo
from gadgets.mri.calibration.intensity import intensity
from gadgets.mri.calibration.sampling import require_neighbours
from gadgets.mri.calibration.splits import split
from gadgets.mri.calibration.walsh import walsh
from gadgets.mri.fft import fft, ifft
from gadgets.mri.kspace import KSpace
from gadgets.mri.networks.k_unn import KUnnNetwork, radial_weight
from gadgets.mri.operators.finite_difference import FiniteDifferenceOp
from gadgets.mri.operators.sensitivity import SensitivityOp
from gadgets.mri.solvers.deadline import late, share
from gadgets.mri.solvers.fit import Fit, State, fit, load
from gadgets.mri.solvers.progress import remark, within
from gadgets.mri.solvers.reach import mirrored, reached
from gadgets.mri.solvers.starts import Starts

_PLANE = (-2, -1)
# The iterations after which fits with a smooth phase and without it are compared; at most a quarter of all.
_TRIAL = 100
# Where the phase is smooth, samples are then foretold with it up to 1.6 times as badly as without it, which takes
# longer to over-fit; where it is not, 5 times and more. docs/claims_k_unn.md
_REFUTED = 2.0
# Weights of samples that were not acquired, where no phase foretells them: of those that the kernel of sensitivities
# does not reach from any that was, of which nothing can be known, and of the others. Without, the networks would fill
# k-space with as much as they find elsewhere.
_UNREACHED, _REACHED = 0.1, 0.003
# The same where the phase is smooth: of samples that are not reached from any that was acquired, nor from its mirror
# image. Edges tell something of them; without, fits go on to fill them when all else is found. docs/claims_k_unn.md
_BEYOND = 0.01
# The part of the iterations, one in so many, after which one network is left. docs/claims_k_unn.md
_RACE = 6
# By what part validation may be more than its least, to be as good: the mean of such iterates is taken.
_AS_GOOD = 0.05
# Of the intensity: below it, neither magnitudes nor lengths of differences have a corner at 0, where no gradient is.
_ROUNDED = 1e-4


@dataclass(frozen=True, kw_only=True)
class KUnn:
    """min_w ||h P (F c x - y)||^2 + ||h P (F c p conj(x) - y)||^2 + tv TV(rho) by Adam, for partial Fourier above all.

    image (*other, 1, z, y, x) from Cartesian k-space (*other, coil, k2, k1, k0), plane by plane, without calibration
    lines. x, c and p are untrained networks with parameters w, fitted to the samples of the one plane. Three priors
    fill what was not acquired: the image is sparse (rho, the magnitude of all coil images, has few edges); coil
    sensitivities c are smooth, `kernel` points per axis in k-space; and smooth is the phase p by which an image differs
    from its conjugate, whose k-space is mirrored about the echo.
    Missing samples are the mean of the two estimates; samples that were acquired are put back as they are, with their
    noise. Coil images are combined with adaptive maps from the result. Here, conjugates are seen with the same
    sensitivities as the image; the paper gives them others. Here, too, these begin in the ratio of samples at the echo.

    `filter`: h = |k|^filter, so that the edge of k-space counts; 0 for none. `tv`: weight of the mean length of
    differences, relative to the intensity; misfits are relative too. `phase`: whether the phase may be smooth. Not all
    are, those of gradient echoes near air least, and a fit to one that is not makes fringes: before, 100 iterations, or
    a quarter, are done with a smooth phase and without, and where samples that were held out refute it, which is
    remarked, the fit is without. What is beyond the reach of sensitivities then stays near 0, one side of k-space that
    is missing above all; with a smooth phase, what they do not reach from mirror images either. Where fits without a
    smooth phase end is chance, some with dark spots: `starts` networks are fitted for a sixth of the iterations, and
    the one whose image has the least length of edges goes on; with a smooth phase, all end alike, and there is one, as
    without `tv`, which is what tells them apart. `width` and `layers` are those of the network of x. A share `held_out`
    of the samples is not fitted: the image is the mean of the iterates that foretell them best, and without a smooth
    phase of the early ones (`Fit.mean`). `seed`: of the parameters' first values and of that choice.
    Cui et al., arXiv:2208.05827. doi:10.48550/arXiv.2208.05827
    """

    iterations: int = 600
    warm_iterations: int = 150
    rate: float = 2e-3
    width: int = 64
    layers: int = 5
    kernel: int = 7
    filter: float = 0.6
    tv: float = 0.1
    starts: int = 4
    phase: bool = True
    held_out: float = 0.05
    seed: int = 0

    def __post_init__(self) -> None:
        if not (self.filter >= 0 and self.tv >= 0):
            raise ValueError(f"KUnn.filter is {self.filter} and KUnn.tv {self.tv}, expected 0 or more")
        if not 0 < self.held_out < 1:
            raise ValueError(f"KUnn.held_out is {self.held_out}, expected more than 0 and less than 1")
        for name in ("iterations", "warm_iterations", "starts"):
            if getattr(self, name) < 1:
                raise ValueError(f"KUnn.{name} is {getattr(self, name)}, expected 1 or more")

    def calibrate(self, reference: KSpace) -> None:
        """Nothing to calibrate: returns None."""

    def __call__(self, kspace: KSpace, calibration: Tensor | None = None) -> Tensor:
        """The image. Raises what `fitted` raises."""
        return self.fitted(kspace, calibration)[0]

    def fitted(
        self, kspace: KSpace, calibration: Tensor | None = None, *, start: State | None = None
    ) -> tuple[Tensor, State]:
        """The image, and the state of the last plane's networks.

        start: such a state of k-space alike, from which every plane begins, with `warm_iterations` to go, and whose
        phase is smooth where that of the other was; an empty one is none. Planes with all of their samples, and those
        without a signal, need no fit; where there are no others, the state is still `start`, or empty.

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
            with share(left):
                network, completed = self._completed(data, mask, start)
            full.append(completed)
            state = network.state_dict()
        images = ifft(torch.stack(full).reshape(planes.shape), _PLANE).movedim(-4, -3)
        csm, _ = walsh(images)
        return SensitivityOp(csm).H(images), {name: value.clone() for name, value in state.items()}

    def _completed(self, data: Tensor, mask: Tensor, start: State | None) -> tuple[KUnnNetwork, Tensor]:
        """What was fitted to k-space (coil, k1, k0), and that with its missing samples."""
        at = echo(data)
        plane = _Plane.of(at.centred(data), at.centred_mask(mask), self)
        if start:
            smooth = self.phase and any(name.startswith("phase.") for name in start)
            if self.phase and not smooth:
                remark("its phase is taken not to be smooth, as in what it starts from")
            networks = self._networks(data, phase=smooth)
            load(networks.leader, start)
            # A warm fit is the end of a long one, with its rate: more would undo what was found.
            part = min(self.warm_iterations / self.iterations, 1.0)
            found = plane.fit(networks, self.warm_iterations, self.rate * math.sin(math.pi / 2 * part) ** 2)
        elif self.phase:
            networks, found = self._smooth_or_not(data, plane)
        else:
            networks = self._networks(data, phase=False, starts=self.starts)
            found = plane.fit(networks, self.iterations, self.rate)
        # Where no phase ties them to others, samples between lines drift when all that is held out has been learned.
        early = networks.leader.phase is None
        estimate = found.mean(networks, lambda: plane.estimate(networks.leader), early=early)
        return networks.leader, torch.where(mask, data, at.displaced(estimate))

    def _smooth_or_not(self, data: Tensor, plane: _Plane) -> tuple[Starts[KUnnNetwork], Fit]:
        """Networks that are fitted to a plane, with a smooth phase unless that is refuted, and their fit."""
        trial = max(1, min(_TRIAL, self.iterations // 4))
        total, parts = 2 * trial + self.iterations, math.ceil((2 * trial + self.iterations) / trial)
        networks = [self._networks(data, phase=phase) for phase in (True, False)]
        fits = []
        for i, one in enumerate(networks):
            with within(i * trial, total), share(parts - i):
                fits.append(plane.fit(one, trial, self.rate))
        smooth, rough = (float(found.validation.min()) for found in fits)
        refuted = smooth > _REFUTED * rough
        if refuted:
            remark("its phase is not smooth, as samples that were held out tell, and not taken to be")
        # Anew: with the rate of a beginning, a fit that has come to its end is thrown out of what it found.
        starts = self.starts if refuted else 1
        anew, tried = self._networks(data, phase=not refuted, starts=starts), (networks[refuted], fits[refuted])
        try:
            with within(2 * trial, total):
                final = plane.fit(anew, self.iterations, self.rate)
        except TimeoutError:
            # Before it began: what the trial has found is there.
            late(begun=True)
            return tried
        worse = final.validation.min() > (1 + _AS_GOOD) * fits[refuted].validation.min()
        return tried if worse else (anew, final)

    def _networks(self, data: Tensor, *, phase: bool, starts: int = 1) -> Starts[KUnnNetwork]:
        """Networks for k-space (coil, k1, k0), as they begin; the first one is the same for any number."""
        # Where sensitivities are alike, coils of other phases cancel each other, and x is 0 at points around which its
        # phase turns. Such points stay: c must have them, too, and then all of it is 0 there, with stripes around.
        first = echo(data).strengths
        networks = []
        others = np.random.SeedSequence(self.seed).generate_state(starts - 1 if self.tv else 0)
        for seed in (self.seed, *map(int, others)):
            with torch.random.fork_rng(devices=[]):
                # Of this generator alone: torch.manual_seed would move those of devices, too.
                torch.default_generator.manual_seed(seed)
                network = KUnnNetwork(
                    first,
                    data.shape[1:],
                    width=self.width,
                    layers=self.layers,
                    kernel=self.kernel,
                    filter=self.filter,
                    phase=phase,
                )
            networks.append(network.to(data.device))
        return Starts(networks, self.iterations // _RACE)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Plane:
    """What networks are fitted to: k-space y (coil, k1, k0) of about unit intensity per sample, its echo in the centre.

    size: what it was divided by. fitted, judged, unknown, beyond: weights of samples, of those that are seen, those
    that are held out, and those that were not acquired, without a smooth phase and with one. unit: the intensity of the
    image. tv: the weight of its edges.
    """

    y: Tensor
    size: Tensor
    fitted: Tensor
    judged: Tensor
    unknown: Tensor
    beyond: Tensor
    unit: Tensor
    tv: float

    @classmethod
    def of(cls, data: Tensor, mask: Tensor, method: KUnn) -> _Plane:
        weight = radial_weight(data.shape[1:], method.filter).to(data.device)
        size = _size(data, mask, weight)
        y = data / size
        parts = split(KSpace(data=y[:, None], mask=mask[:, None]), method.held_out, np.random.default_rng(method.seed))
        fitted, judged = (_relative(weight * part.mask[0, 0], y) for part in parts)
        missing = weight * ~mask[0] / torch.linalg.vector_norm(weight * y)
        near, either = (reached(one[None], method.kernel // 2)[0, 0] for one in (mask, mask | mirrored(mask)))
        unknown = missing * torch.where(near, _REACHED, _UNREACHED).sqrt()
        beyond = missing * torch.where(either, 0, _BEYOND).sqrt()
        unit = intensity(torch.linalg.vector_norm(ifft(y, _PLANE), dim=0)[None, None])[0, 0]
        return cls(
            y=y, size=size, fitted=fitted, judged=judged, unknown=unknown, beyond=beyond, unit=unit, tv=method.tv
        )

    def fit(self, networks: Starts[KUnnNetwork], iterations: int, rate: float) -> Fit:
        gradient = FiniteDifferenceOp(_PLANE)

        def loss(network: KUnnNetwork) -> tuple[Tensor, Tensor]:
            images = network()
            energy = images.abs().square().sum(dim=1).mean(dim=0) / self.unit.square() + _ROUNDED**2
            edges = gradient(energy.sqrt()).square().sum(dim=0)
            # Samples that were not acquired are 0 in y, and to stay near it where nothing foretells them.
            weight = self.fitted + (self.unknown if network.phase is None else self.beyond)
            length = self.tv * (edges + _ROUNDED**2).sqrt().mean()
            # Dark spots, around which the phase turns, have edges, and are seen long before the misfit tells them.
            return _misfit(weight, images, self.y) + length, length

        def validate() -> Tensor:
            return networks.mean(lambda network: _misfit(self.judged, network(), self.y))

        return fit(
            networks,
            lambda iteration: networks.loss(iteration, loss),
            iterations=iterations,
            rate=rate,
            validate=validate,
            tolerance=_AS_GOOD,
        )

    def estimate(self, network: KUnnNetwork) -> Tensor:
        """K-space (coil, k1, k0) as the network has it."""
        return fft(network().mean(dim=0), _PLANE) * self.size


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
