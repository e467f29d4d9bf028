"""The Fourier transform between an image and samples that lie on no grid."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gadgets.mri.operators.linear_operator import LinearOperator
from gadgets.mri.operators.toeplitz import ToeplitzOp

# Samples may be this far out of the plane (cycles per field of view) of a two-dimensional image: rounding.
_ROUNDING = 1e-3
# What the transforms are exact to, in single precision (whose rounding of the trajectory is of that size) and double.
_TOLERANCE = {torch.complex64: 1e-6, torch.complex128: 1e-12}


class NonUniformFourierOp(LinearOperator):
    """F: image (*other, coil, z, y, x) to samples (*other, coil, k2, k1, k0), s_j = sum_r x_r exp(-2 pi i k_j r / n)
    / sqrt(number of points), r counted from the centre: on a Cartesian trajectory, it is FourierOp.

    trajectory: (*other, 3, k2, k1, k0) real, components (z, y, x), in cycles per field of view; axes of length 1
    broadcast, and what shares a trajectory is transformed together. matrix: (z, y, x). Along axes of one point the
    trajectory must be 0. complex64 is exact to some 1e-5 of the samples' norm, which is how single precision rounds a
    trajectory on a matrix of 256, complex128 to 1e-12. Autograd gives no gradient of the trajectory.

    Computed by FINUFFT, on CUDA devices by cuFINUFFT (extra `cuda`). Of what there is, it was the fastest:
    8 coils of 256 x 256 and 201 spokes of 512 samples, forward and adjoint, on two threads took it 0.34 s, through
    pytorch-finufft, which plans anew for every call, 0.50 s, and torchkbnufft 3.7 s.

    Raises ValueError for a trajectory of wrong shape, out of the plane or not finite; ModuleNotFoundError, naming the
    extra, where cuFINUFFT is needed and absent.

    Fessler and Sutton, IEEE Trans Signal Process 2003;51:560. doi:10.1109/TSP.2002.807005
    Barnett, Magland and af Klinteberg, SIAM J Sci Comput 2019;41:C479. doi:10.1137/18M120885X
    """

    def __init__(self, trajectory: Tensor, matrix: Sequence[int]) -> None:
        if trajectory.ndim < 4 or trajectory.shape[-4] != 3 or not trajectory.is_floating_point():
            raise ValueError(
                f"trajectory is {trajectory.dtype} of shape {tuple(trajectory.shape)}, "
                "expected real (*other, 3, k2, k1, k0)"
            )
        if len(matrix) != 3 or min(matrix) < 1:
            raise ValueError(f"matrix is {tuple(matrix)}, expected the lengths (z, y, x)")
        self.trajectory, self.matrix = trajectory, tuple(matrix)
        self._axes = [axis for axis in range(3) if matrix[axis] > 1] or [2]
        components = trajectory.detach().movedim(-4, 0)
        _require_places(components, self._axes)
        self._shape = tuple(trajectory.shape[-3:])
        self._other = tuple(trajectory.shape[:-4])
        self._scale = 1 / math.sqrt(math.prod(matrix))
        # Angles per point, in double precision before they are rounded to what the plan takes.
        self._angles = [2 * math.pi / matrix[axis] * components[axis].double() for axis in self._axes]
        self._plans: dict[tuple[Any, ...], _Plan] = {}

    def forward(self, x: Tensor) -> Tensor:
        """F x."""
        if x.ndim < 4 or tuple(x.shape[-3:]) != self.matrix:
            raise ValueError(f"image has shape {tuple(x.shape)}, expected (*other, coil, {_listed(self.matrix)})")
        out: Tensor = _Transform.apply(x, self._run, False)
        return out

    def adjoint(self, y: Tensor) -> Tensor:
        """F^H y."""
        if y.ndim < 4 or tuple(y.shape[-3:]) != self._shape:
            raise ValueError(f"samples have shape {tuple(y.shape)}, expected (*other, coil, {_listed(self._shape)})")
        out: Tensor = _Transform.apply(y, self._run, True)
        return out

    @property
    def gram(self) -> LinearOperator:
        """F^H F, as a convolution."""
        return self.weighted_gram(torch.ones((), device=self.trajectory.device))

    def weighted_gram(self, weights: Tensor) -> ToeplitzOp:
        """F^H W F for real weights of the samples, which broadcast against (*other, 1, k2, k1, k0)."""
        weights = weights.expand(torch.broadcast_shapes(weights.shape, (*self._other, 1, *self._shape)))
        # The point spread function is needed at distances of up to a field of view, to both sides.
        transform = self.doubled()
        spread = transform.adjoint(weights.to(self.trajectory.dtype.to_complex()))
        return ToeplitzOp(spread * (self._scale**2 / transform._scale), self.matrix)

    def doubled(self) -> NonUniformFourierOp:
        """The transform from an image of twice the field of view along all axes of more than one point."""
        factors = [2 if axis in self._axes else 1 for axis in range(3)]
        wide = torch.tensor(factors, device=self.trajectory.device, dtype=self.trajectory.dtype)[:, None, None, None]
        matrix = [factor * length for factor, length in zip(factors, self.matrix, strict=True)]
        return NonUniformFourierOp(self.trajectory * wide, matrix)

    def _run(self, values: Tensor, adjoint: bool) -> Tensor:
        """F or its adjoint, without a gradient."""
        lengths = self._shape if adjoint else self.matrix
        other = torch.broadcast_shapes(values.shape[:-4], self._other)
        coils = values.shape[-4]
        values = values.expand(*other, coils, *lengths)
        shape = (*other, coils, *(self.matrix if adjoint else self._shape))
        if math.prod(self._other) == 1:
            return self._batch((0,) * len(self._other), values, adjoint).reshape(shape)
        out = values.new_empty(shape)
        first = len(other) - len(self._other)
        for place in np.ndindex(self._other):
            chosen = (
                *[slice(None)] * first,
                *(index if length > 1 else slice(None) for index, length in zip(place, self._other, strict=True)),
            )
            out[chosen] = self._batch(place, values[chosen], adjoint).reshape(out[chosen].shape)
        return out

    def _batch(self, place: tuple[int, ...], values: Tensor, adjoint: bool) -> Tensor:
        """The transforms of all that shares the trajectory at `place`."""
        batch = values.reshape(-1, *values.shape[-3:])
        plan = self._plan(place, values, len(batch))
        return (plan.adjoint(batch) if adjoint else plan.forward(batch)).mul_(self._scale)

    def _plan(self, place: tuple[int, ...], like: Tensor, batch: int) -> _Plan:
        key = (place, batch, like.dtype, like.device)
        if key not in self._plans:
            points = [angle[place].flatten() for angle in self._angles]
            modes = tuple(self.matrix[axis] for axis in self._axes)
            self._plans[key] = _PLANS[like.device.type](points, modes, batch, like)
        return self._plans[key]


class _Transform(torch.autograd.Function):
    """A linear transform whose gradient is its adjoint."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, run: Callable[[Tensor, bool], Tensor], adjoint: bool) -> Tensor:
        ctx.run, ctx.adjoint, ctx.shape = run, adjoint, values.shape
        return run(values.detach(), adjoint)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        back: Tensor = _Transform.apply(gradient, ctx.run, not ctx.adjoint)
        return back.sum_to_size(ctx.shape), None, None


class _Plan:
    """A library's transforms of a batch at fixed places: forward (batch, z, y, x) to (batch, n), and adjoint."""

    def forward(self, images: Tensor) -> Tensor:
        raise NotImplementedError

    def adjoint(self, samples: Tensor) -> Tensor:
        raise NotImplementedError


class _CpuPlan(_Plan):
    def __init__(self, points: list[Tensor], modes: tuple[int, ...], batch: int, like: Tensor) -> None:
        # Here, as Cartesian scans need not wait for it.
        finufft = import_module("finufft")
        self._shape = (batch, *modes)
        self._plan = finufft.Plan(
            2,
            modes,
            batch,
            _TOLERANCE[like.dtype],
            -1,
            dtype=str(like.dtype).removeprefix("torch."),
            nthreads=torch.get_num_threads(),
        )
        # The plan reads the places where they lie: they must stay.
        self._points = [np.ascontiguousarray(point.to(like.real.dtype).cpu().numpy()) for point in points]
        self._plan.setpts(*self._points)

    def forward(self, images: Tensor) -> Tensor:
        given = np.ascontiguousarray(images.resolve_conj().numpy()).reshape(self._shape)
        return torch.from_numpy(self._plan.execute(given))

    def adjoint(self, samples: Tensor) -> Tensor:
        given = np.ascontiguousarray(samples.resolve_conj().numpy()).reshape(self._shape[0], -1)
        out = np.empty(self._shape, given.dtype)
        return torch.from_numpy(self._plan.execute_adjoint(given, out))


class _CudaPlan(_Plan):
    def __init__(self, points: list[Tensor], modes: tuple[int, ...], batch: int, like: Tensor) -> None:
        try:
            cufinufft = import_module("cufinufft")
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError(
                "non-Cartesian k-space on a CUDA device needs cuFINUFFT: install deepgadgets[cuda], or use the CPU",
                name=error.name,
            ) from None
        self._shape = (batch, *modes)
        self._points = [point.to(like.device, like.real.dtype).contiguous() for point in points]
        self._plans = []
        for kind, sign in ((2, -1), (1, 1)):
            dtype = str(like.dtype).removeprefix("torch.")
            plan = cufinufft.Plan(
                kind, modes, batch, _TOLERANCE[like.dtype], sign, dtype, gpu_device_id=like.device.index or 0
            )
            plan.setpts(*self._points)
            self._plans.append(plan)

    def forward(self, images: Tensor) -> Tensor:
        found: Tensor = self._plans[0].execute(images.resolve_conj().reshape(self._shape).contiguous())
        return found

    def adjoint(self, samples: Tensor) -> Tensor:
        found: Tensor = self._plans[1].execute(samples.resolve_conj().reshape(self._shape[0], -1).contiguous())
        return found


_PLANS: dict[str, Callable[[list[Tensor], tuple[int, ...], int, Tensor], _Plan]] = {"cpu": _CpuPlan, "cuda": _CudaPlan}


def _require_places(components: Tensor, axes: Sequence[int]) -> None:
    """Refuse what cannot be a trajectory through the k-space of an image with these axes."""
    if not torch.isfinite(components).all():
        raise ValueError("the trajectory holds values that are NaN or infinite")
    for axis, name in _absent(axes):
        furthest = components[axis].abs().max().item() if components[axis].numel() else 0.0
        if furthest > _ROUNDING:
            raise ValueError(
                f"the image has one point along {name}, but the trajectory reaches {furthest:g} cycles per field of "
                f"view along k{name}, expected 0"
            )


def _absent(axes: Sequence[int]) -> Iterator[tuple[int, str]]:
    return ((axis, name) for axis, name in enumerate("zyx") if axis not in axes)


def _listed(lengths: Sequence[int]) -> str:
    return ", ".join(map(str, lengths))
