"""Unrolled reconstructions that learn from the scan which they reconstruct, and from nothing else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import prod

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from gadgets.mri.calibration.intensity import intensity
from gadgets.mri.calibration.splits import Pair, split_zero_shot
from gadgets.mri.kspace import KSpace
from gadgets.mri.operators.encoding import encoding
from gadgets.mri.operators.linear_operator import LinearOperator
from gadgets.mri.solvers.cg import cg
from gadgets.mri.solvers.deadline import share
from gadgets.mri.solvers.fit import Fit, State, fit, load
from gadgets.mri.solvers.members import Members
from gadgets.mri.solvers.reach import reached
from gadgets.mri.solvers.unrolled import proximal_step, unrolled

# Conjugate gradients for the image whose intensity is the unit, and in each alternation: there they start from what the
# network gave, and the next alternation goes on. Along spokes they take longer, and their gradient is none before.
_UNIT, _EACH, _EACH_ALONG_TRAJECTORY = 5, 4, 10
# Ways to hold out samples, which the iterations of the training take in turn.
_PAIRS = 10
# How far coil sensitivities reach in k-space, in points.
_REACH = 3
# Iterations between two looks at the samples to stop by, at most.
_EVERY = 10


@dataclass(frozen=True, kw_only=True, eq=False)
class Samples:
    """Samples y of one volume, with the operator A that took them, A^H A and A^H y.

    conjugate: gradients that come near enough to a solution. unreached: the operator that takes the samples of a grid
    of which these say nothing, by `reached`; None along a trajectory.
    """

    operator: LinearOperator
    gram: LinearOperator
    data: Tensor
    rhs: Tensor
    conjugate: int
    unreached: LinearOperator | None

    @classmethod
    def of(cls, kspace: KSpace, csm: Tensor) -> Samples:
        """Those of `kspace`, seen through csm."""
        operator, unreached = encoding(kspace, csm), None
        if kspace.trajectory is None:
            missing = ~reached(kspace.mask.expand(1, *kspace.matrix), _REACH)
            unreached = encoding(replace(kspace, mask=missing), csm)
        return cls(
            operator=operator,
            gram=operator.gram,
            data=kspace.data,
            rhs=operator.H(kspace.data),
            conjugate=_EACH if kspace.trajectory is None else _EACH_ALONG_TRAJECTORY,
            unreached=unreached,
        )

    def error(self, image: Tensor) -> Tensor:
        """Half of ||r|| / ||y|| and half of ||r||_1 / ||y||_1, r = A x - y; r itself where y is 0.

        Yaman et al., MRM 2020;84:3172. doi:10.1002/mrm.28378
        """
        residual, size = (torch.view_as_real(x).norm(dim=-1) for x in (self.operator(image) - self.data, self.data))
        norm = torch.linalg.vector_norm
        return (_ratio(norm(residual), norm(size)) + _ratio(residual.sum(), size.sum())) / 2

    def beyond(self, image: Tensor) -> Tensor:
        """||A_u x||^2 / ||y||^2, A_u being `unreached`; 0 where there is none."""
        if self.unreached is None:
            return image.new_zeros((), dtype=self.data.real.dtype)
        made, energy = (torch.view_as_real(one).square().sum() for one in (self.unreached(image), self.data))
        return _ratio(made, energy)


class Alternation(nn.Module):
    """x = A^H y, and then `count` times z = N(x), x = argmin ||A x - y||^2 + w ||x - z||^2.

    N is one network for all of them, and w = softplus of what is learned, too. The minimum is that of a few conjugate
    gradients from z.
    Aggarwal, Mani and Jacob, IEEE Trans Med Imaging 2019;38:394. doi:10.1109/TMI.2018.2865356
    """

    def __init__(self, network: nn.Module, count: int) -> None:
        super().__init__()
        if count < 1:
            raise ValueError(f"{count} alternations are none, expected 1 or more")
        self.network, self.count = network, count
        # softplus(-3) = 0.05: as much trust in the data as the paper begins with.
        self.weight = nn.Parameter(torch.tensor(-3.0))

    def trust(self, scale: Tensor) -> None:
        """Multiply w, as it begins, by `scale`, at most 1."""
        with torch.no_grad():
            self.weight.add_(scale.log())

    def forward(self, samples: Samples) -> tuple[Tensor, Tensor]:
        """The last x, and the z it comes from."""
        solve = partial(proximal_step, samples.gram, samples.rhs, iterations=samples.conjugate)
        z = x = samples.rhs

        def consistency(_: Tensor, made: Tensor, k: int) -> Tensor:
            nonlocal z
            z = made
            return solve(made, softplus(self.weight))

        x = unrolled([self.regulariser()] * self.count, consistency, x)
        return x, z

    def regulariser(self) -> Callable[[Tensor], Tensor]:
        """N; what it needs to compute but once for all alternations is done here."""
        return self.network


@dataclass(frozen=True, kw_only=True, eq=False)
class _Lesson:
    """Samples that teach and samples to stop by, as pairs of those that are shown and those to predict.

    training: all that teach.
    """

    teach: Sequence[tuple[Samples, Samples]]
    stop: Sequence[tuple[Samples, Samples]]
    training: Samples

    @classmethod
    def of(cls, kspace: KSpace, csm: Tensor, random: np.random.Generator, pairs: int) -> _Lesson:
        teach, stop, training = split_zero_shot(kspace, random, pairs=pairs)

        def of(parts: Sequence[Pair]) -> list[tuple[Samples, Samples]]:
            return [(Samples.of(seen, csm), Samples.of(held, csm)) for seen, held in parts]

        return cls(teach=of(teach), stop=of(stop), training=Samples.of(training, csm))


def learn(
    module: Members,
    kspace: KSpace,
    csm: Tensor,
    *,
    iterations: int,
    rate: float,
    seed: int,
    tolerance: float = 0.0,
    penalty: Callable[[Tensor, Tensor, Samples], Tensor | float] | None = None,
) -> Fit:
    """Fit `module` to one volume: from some of its samples, each member has to predict others, which it was not shown.

    Of all samples, points taken at random with a Gaussian density, a fifth are held out for good, others for each
    member. What is predicted of them, from all others, decides which iterate is kept: as a mean over members and a few
    looks, and with a learning rate that falls to 0, so that neighbouring iterates differ little; `tolerance` is that of
    `fit`. Of the others, each iteration holds out some, in one of ten ways (`split_zero_shot`), and lowers their error
    (`Samples.error`). `penalty`, of the last x, of the z it comes from and of the samples of the training, is added.
    Yaman, Hosseini and Akcakaya, ICLR 2022. doi:10.48550/arXiv.2102.07737
    """
    pairs = min(_PAIRS, max(iterations, 1))
    lessons = [
        (member, _Lesson.of(kspace, csm, np.random.default_rng(seed + i), pairs))
        for i, member in enumerate(module.members)
    ]

    def loss(iteration: int) -> Tensor:
        total = []
        for member, lesson in lessons:
            shown, held = lesson.teach[iteration % pairs]
            x, z = member(shown)
            value: Tensor = held.error(x)
            total.append(value if penalty is None else value + penalty(x, z, lesson.training))
        return torch.stack(total).sum()

    def validate() -> Tensor:
        return torch.stack(
            [held.error(member(shown)[0]) for member, lesson in lessons for shown, held in lesson.stop]
        ).mean()

    return fit(module, loss, iterations=iterations, rate=rate, validate=validate, every=_EVERY, tolerance=tolerance)


def reconstruct(
    build: Callable[[Tensor], Alternation],
    kspace: KSpace,
    csm: Tensor,
    *,
    iterations: int,
    rate: float,
    seed: int,
    tolerance: float = 0.0,
    members: int = 1,
    start: State | None = None,
    penalty: Callable[[Tensor, Tensor, Samples], Tensor | float] | None = None,
) -> tuple[Tensor, State]:
    """Images (*other, 1, z, y, x) of modules that `learn`, and what those of the last volume learned.

    Each volume has `members` modules of its own, made by `build` for its maps (coil, z, y, x); they begin with the same
    numbers in each, those of `start` or drawn from `seed`. Volumes are divided by their intensity, and operators by
    what their norm is at most. The image is made of all samples: the mean of those of all iterates whose error of the
    samples to stop by is within `tolerance` of the least, each as often as there were iterations since the look before.
    It is 0 outside the support of the maps. What random numbers others draw is left as it was.

    Raises ValueError for samples that are not finite, for maps of other shape, and for a `start` of another module.
    """
    kspace.require_finite()
    kspace.require_maps(csm)
    images: list[Tensor] = []
    state: State = {}
    with torch.inference_mode(mode=False):
        for left, (volume, maps) in zip(range(prod(kspace.other), 0, -1), kspace.volumes(csm), strict=True):
            with share(left):
                operator = encoding(volume, maps)
                bound = operator.bound
                size, scale = bound.sqrt(), typical(volume, maps, bound)
                unit = intensity(cg(operator.gram, operator.H(volume.data), iterations=_UNIT).x)
                volume, maps = replace(volume, data=volume.data / (unit * size)), maps / size
                with torch.random.fork_rng(devices=[]):
                    # Of this generator alone: torch.manual_seed would move those of devices, too.
                    torch.default_generator.manual_seed(seed)
                    modules = [build(maps).to(volume.data.device) for _ in range(members)]
                for one in modules:
                    one.trust(scale)
                module = Members(modules)
                if start is not None:
                    load(module, start)
                found = learn(
                    module,
                    volume,
                    maps,
                    iterations=iterations,
                    rate=rate,
                    seed=seed,
                    tolerance=tolerance,
                    penalty=penalty,
                )
                state, whole = found.state, Samples.of(volume, maps)
                image = found.mean(module, partial(module.mean, partial(_image, whole)), stepped=True)
                images.append(unit * image * (maps != 0).any(dim=-4, keepdim=True))
    return torch.stack(images).reshape((*kspace.other, *images[0].shape)), state


def typical(kspace: KSpace, csm: Tensor, bound: Tensor) -> Tensor:
    """The part of `bound`, the largest eigenvalue of A^H A of one volume seen through csm, that most others have.

    On a grid all that are not 0 are about alike: 1. Along a trajectory an eigenvalue is about the density of samples at
    its place in k-space, which is largest in the centre, as nothing compensates it; this is the mean of all, the
    diagonal of A^H A where csm is largest.
    """
    if kspace.trajectory is None:
        return torch.ones_like(bound).reshape(())
    density = kspace.mask.expand(*kspace.other, 1, *kspace.matrix).sum() / prod(kspace.image_matrix)
    return (density * csm.abs().square().sum(dim=-4).max() / bound).clamp_max(1).reshape(())


def _image(samples: Samples, member: nn.Module) -> Tensor:
    image: Tensor = member(samples)[0]
    return image


def _ratio(error: Tensor, size: Tensor) -> Tensor:
    return error / torch.where(size > 0, size, 1)
