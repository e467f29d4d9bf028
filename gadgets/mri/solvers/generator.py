"""Images that a network makes out of nothing, fitted to the samples of one scan."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import prod

import torch
from torch import Tensor, nn

from gadgets.mri.kspace import KSpace
from gadgets.mri.operators.encoding import encoding
from gadgets.mri.solvers.cg import cg
from gadgets.mri.solvers.deadline import share
from gadgets.mri.solvers.fit import Fit, State, fit, load
from gadgets.mri.solvers.members import Members
from gadgets.mri.solvers.reach import reached
from gadgets.mri.solvers.rings import Rings

# Iterations of least squares that say how bright the object is.
_LEAST_SQUARES = 5
# Of the least mean square of what is foretold wrongly, what others may be above it. From a tenth of the samples of
# 64 x 64 points, 4 coils and R = 4, it is known to about as much; from one such tenth for each member, better.
_AS_GOOD = 0.07
# How far sensitivities reach in k-space, in points, and the weight with which what is beyond is to stay near 0:
# networks would fill it with as much as they find elsewhere, one side that is missing above all.
_REACH, _UNREACHED = 3, 0.1

#: From the matrix (z, y, x) of an image and a seed: a module that, called with nothing, gives it, (1, z, y, x) complex.
Generator = Callable[[tuple[int, int, int], int], nn.Module]
#: From samples and a seed: those to fit, and those to foretell; None for none of these.
Divide = Callable[[KSpace, int], tuple[KSpace, KSpace | None]]
#: Weights of the squared residuals |A x - y|^2 (coil, k2, k1, k0), from the iteration and from them.
Weights = Callable[[int, Tensor], Tensor]
#: Weights for the samples of a volume, from these, what they were divided by, and how many iterations follow; or None.
Weighting = Callable[[KSpace, Tensor, int], Weights | None]


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """How long a generator is fitted.

    iterations: from random parameters; warm_iterations: from those of another fit. rate: Adam's in the beginning.
    patience: that of `fit`.
    """

    iterations: int
    warm_iterations: int
    rate: float
    patience: int


def generated(
    kspace: KSpace,
    csm: Tensor,
    generator: Generator,
    schedule: Schedule,
    *,
    seeds: Sequence[int] = (0,),
    divide: Divide | None = None,
    weights: Weighting | None = None,
    start: State | None = None,
) -> tuple[Tensor, State]:
    """min_p sum_i w_i |A G_p - y|_i^2 / ||y||^2 for each volume: the images (*other, 1, z, y, x), and the last state.

    Each volume is divided by the intensity of the object in its image by least squares, so that the image scales with
    the samples, and has generators of its own, one for each of `seeds`, which begin as those of each other volume do:
    `start`, or what `generator` makes. Each learns by itself, and the image is the mean of theirs.
    `divide` takes samples from the fit, others for each, which it is validated on: mean |A G_p - y|^2, in which they
    stand for all of k-space, ring by ring, but for the centre, of which there are none, and where those that are fitted
    do; the image is the mean of those that are as good as the best one. Without, it is the last one. Where no sample of
    Cartesian k-space is within the reach of sensitivities, the image's is to stay near 0. `weights` are made from the
    samples that are fitted; without, they are 1.

    Raises ValueError for samples that are not finite, for maps of other shape, and for a start of another generator.
    """
    kspace.require_finite()
    kspace.require_maps(csm)
    iterations = schedule.iterations if start is None else schedule.warm_iterations
    images = []
    state: State = {}
    with torch.inference_mode(mode=False):
        for left, (volume, maps) in zip(range(prod(kspace.other), 0, -1), kspace.volumes(csm), strict=True):
            with share(left):
                # What was made in inference mode takes no part in gradients, and a copy of it does.
                maps = maps.clone()
                operator = encoding(volume, maps)
                squares = cg(operator.gram, operator.H(volume.data), iterations=_LEAST_SQUARES).x
                scale = _intensity(squares)
                volume = replace(volume, data=volume.data / scale)
                module = Members([generator(volume.image_matrix, seed) for seed in seeds]).to(scale.device)
                if start is not None:
                    load(module, start)
                lessons = []
                for seed in seeds:
                    seen, held = (volume, None) if divide is None else divide(volume, seed)
                    own = None if weights is None else weights(seen, scale, iterations)
                    lessons.append(_Lesson(volume, maps, seen, held, own))
                found = _fit(module, lessons, schedule, iterations)
                state = found.state
                image = found.mean(module, partial(module.mean, _image))
                images.append(scale * image * (maps != 0).any(dim=-4, keepdim=True))
    return torch.stack(images).reshape(*kspace.other, 1, *kspace.image_matrix), state


class _Lesson:
    """What one generator is fitted to, and what it has to foretell."""

    def __init__(self, volume: KSpace, csm: Tensor, seen: KSpace, held: KSpace | None, weights: Weights | None) -> None:
        self._unknown: Tensor | None = None
        if volume.trajectory is None:
            self._unknown = ~reached(volume.mask.expand(1, *volume.matrix), _REACH)
        mask = seen.mask if self._unknown is None else seen.mask | self._unknown
        self._operator, self._data, self._weights = encoding(replace(seen, mask=mask), csm), seen.data, weights
        energy = seen.data.abs().square().sum()
        self._energy = torch.where(energy > 0, energy, 1)
        self.foretells = held is not None
        if held is not None:
            # The centre, of which nothing is held out, is represented by samples that are fitted: without it, no image
            # at all may seem better than one with noise in its edges.
            rings = Rings(held)
            self._share = rings.representing() + Rings(seen).representing(rings.nearer())
            self._everything, self._all = encoding(volume, csm), volume.data
            self._count = held.n_coils * self._share.sum().clamp_min(1)

    def loss(self, iteration: int, image: Tensor) -> Tensor:
        # Where there is no sample, the data are 0.
        squares = torch.view_as_real(self._operator(image) - self._data).square().sum(dim=-1)
        beyond: Tensor | float = 0.0
        if self._unknown is not None:
            beyond = _UNREACHED * (squares * self._unknown).sum()
            squares = squares * ~self._unknown
        if self._weights is not None:
            squares = self._weights(iteration, squares.detach()) * squares
        return (squares.sum() + beyond) / self._energy

    def foretold(self, image: Tensor) -> Tensor:
        """The mean squared error of all of k-space, as held-out samples tell it."""
        return (self._share * (self._everything(image) - self._all).abs().square()).sum() / self._count


def _fit(module: Members, lessons: Sequence[_Lesson], schedule: Schedule, iterations: int) -> Fit:
    taught = list(zip(lessons, module.members, strict=True))

    def loss(iteration: int) -> Tensor:
        return torch.stack([lesson.loss(iteration, member()) for lesson, member in taught]).sum()

    def validate() -> Tensor:
        return torch.stack([lesson.foretold(member()) for lesson, member in taught]).mean()

    return fit(
        module,
        loss,
        iterations=iterations,
        rate=schedule.rate,
        validate=validate if lessons[0].foretells else None,
        patience=schedule.patience,
        tolerance=_AS_GOOD / len(lessons) ** 0.5,
    )


def _image(member: nn.Module) -> Tensor:
    image: Tensor = member()
    return image


def _intensity(image: Tensor) -> Tensor:
    """The mean of |x| weighted with |x|, or 1 for an image of nothing."""
    norm, total = torch.linalg.vector_norm(image), image.abs().sum()
    return torch.where(total > 0, norm * (norm / torch.where(total > 0, total, 1)), 1)
