"""A method at work on the slices of a scan, looked after, and another one in its place where it fails."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from gadgets.mri.kspace import KSpace
from gadgets.mri.methods import Method
from gadgets.mri.models.card import ModelCard
from gadgets.mri.models.trained import reads
from gadgets.mri.operators.encoding import encoding
from gadgets.mri.solvers.deadline import deadline
from gadgets.mri.solvers.fit import State
from gadgets.mri.solvers.progress import listening
from gadgets.progress import Progress
from gadgets.stream.errors import Stopped, describe_error
from gadgets.tensors import brightness, over_receivers, require_calibration

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Slice:
    """What there is of a slice.

    kspace: (1, S, N, CHA, E2, E1, E0); csm: maps that came with it, or None; reference: makes the k-space to calibrate
    from, where there are no maps; number, repetition, space: which slice it is; receivers: how they follow from the
    channels (`gadgets.receivers`), where that is known.
    """

    kspace: KSpace
    csm: Tensor | None
    reference: Callable[[], KSpace]
    number: int
    repetition: int
    space: int
    receivers: Tensor | None = None

    def __str__(self) -> str:
        return f"slice {self.number}, repetition {self.repetition}"


@dataclass(frozen=True, kw_only=True)
class Made:
    """How the image of a slice was made.

    by: the attempt that made it; reason: why not the method that was asked for, where it did not. residual: of the
    image ||P F S x - y|| / ||y|| (1, S, N); support: share of the points at which maps are not 0; both where somebody
    wants to know, and there are maps. Seconds that calibration took, None where it was there before, and
    reconstruction. Of what was fitted, iterations: how many were done, and of how many; late: the seconds of the
    deadline that ended the fit before, 0 where none did; start: of which slice the fit was that it started from, if
    any. remarks: what the method found that bears on the image.
    """

    by: Attempt
    reason: str = ""
    residual: Tensor | None = None
    support: float | None = None
    calibration_seconds: float | None = None
    reconstruction_seconds: float = 0.0
    iterations: tuple[int, int] | None = None
    late: float = 0.0
    start: str = ""
    remarks: tuple[str, ...] = ()


class Attempt:
    """A method on a device, with what it has calibrated so far in this scan, and the last that it has fitted.

    warm_start: a fit starts from the last one of the same encoding space, number of coils and matrix; else none does.
    card: of its model, once it was looked at. reading: seconds that reading the model took, 0 where it was in memory.
    """

    def __init__(self, name: str, method: Method, device: torch.device, *, warm_start: bool = True):
        self.name = name
        self.method = method
        self.device = device
        self.warm_start = warm_start
        self.card: ModelCard | None = None
        self.reading = 0.0
        self._calibrations: dict[tuple[Any, ...], Tensor | None] = {}
        self._fits: dict[tuple[Any, ...], tuple[State, str]] = {}
        log.info("%r on %s", method, device)

    @property
    def learned(self) -> bool:
        """Whether the method has a model."""
        return hasattr(self.method, "trained")

    def prepare(self, kspace: KSpace, field_tesla: float | None) -> None:
        """Have the model in memory, and hold its card against the k-space of a slice.

        Raises ValueError where there is no such model, or none that is made for the slice, and what reading it raises.
        """
        if not self.learned:
            return
        if self.card is None:
            before, started = reads(), time.monotonic()
            self.card = self.method.trained(self.device)[1]  # type: ignore[attr-defined]
            self.reading = time.monotonic() - started if reads() > before else 0.0
            log.info("model %s %s", self.card.name, f"read in {self.reading:.2f} s" if self.reading else "in memory")
        self.card.require(_acquired(kspace), field_tesla=field_tesla)

    def __call__(self, one: Slice, *, looked_at: bool) -> tuple[Tensor, Made]:
        """The image (1, S, N, 1, z, y, x) of a slice, on the processor, and how it was made.

        looked_at: with what there is to say of it and of the maps.

        Raises ValueError where there is nothing to calibrate from, for an image that is not finite, and what the
        method raises.
        """
        started = time.monotonic()
        fresh, calibration = (False, one.csm) if one.csm is not None else self._calibration(one)
        between = time.monotonic()
        part = one.kspace.to(self.device)
        found = None if calibration is None else calibration.to(self.device)
        alike = (one.space, part.n_coils, part.image_matrix)
        before, start = self._fits.get(alike, (None, ""))
        plain, bright, fitted = self._image(part, found, None if one.csm is not None else one.receivers, before)
        image = plain * bright
        wrong = int((~torch.isfinite(image)).sum())
        if wrong:
            raise ValueError(f"its image has {wrong} points of {image.numel()} that are NaN or infinite")
        if fitted is not None and self.warm_start:
            self._fits[alike] = fitted, str(one)
        seconds = time.monotonic() - between
        maps = found if looked_at else None
        return image.cpu(), Made(
            by=self,
            residual=None if maps is None else _residual(part, maps, plain),
            support=None if maps is None else _share(maps, part.n_coils),
            calibration_seconds=between - started if fresh else None,
            reconstruction_seconds=seconds,
            start=start,
        )

    def _image(
        self, part: KSpace, calibration: Tensor | None, receivers: Tensor | None, start: State | None
    ) -> tuple[Tensor, Tensor | int, State | None]:
        """The images of a slice, what makes them as bright as the receivers see it, where those are given, and what was
        fitted to it.
        """
        bright: Tensor | int = 1
        if receivers is not None and calibration is not None:
            sets = getattr(self.method, "sets", 1)
            if sets > 1:
                # Each set has a brightness of its own, and the image is of all together.
                calibration = over_receivers(calibration, receivers, sets)
            else:
                bright = brightness(calibration, receivers, part.n_coils)
        if hasattr(self.method, "fitted"):
            image, fitted = self.method.fitted(part, calibration, start=start)
            return image, bright, fitted
        return self.method(part, calibration), bright, None

    def _calibration(self, one: Slice) -> tuple[bool, Tensor | None]:
        """What the method calibrated for a slice, from its reference or from its data, and whether it did so now."""
        known = (one.space, one.number, one.kspace.n_coils, one.kspace.image_matrix)
        fresh = known not in self._calibrations
        if fresh:
            part = one.reference()
            found = self.method.calibrate(part.to(self.device))
            if found is not None:
                require_calibration(part)
            self._calibrations[known] = found
        return fresh, self._calibrations[known]


class Guarded:
    """A method, and another that reconstructs in its place from the slice on at which it has failed.

    It fails by whatever it raises, by an image that is not finite, by a model that is not made for the scan, and by
    taking more than `limit` seconds for a slice (0: as long as it likes); a fit that has something by then ends with it
    instead. It is then not tried again in this scan: what made it fail is mostly the same in the next slice, each try
    may cost the whole limit, and a series is compared best whose images come from one method. Without a fallback,
    failing ends the scan; so does that nobody waits for it any more.
    """

    def __init__(
        self,
        first: Attempt,
        fallback: Attempt | None,
        progress: Progress,
        *,
        limit: float = 0.0,
        field_tesla: float | None = None,
    ):
        self.first, self.fallback = first, fallback
        self.progress = progress
        self.limit, self.field_tesla = limit, field_tesla
        self.reason = ""

    def __call__(self, one: Slice, *, looked_at: bool = False) -> tuple[Tensor, Made]:
        """The image (1, S, N, 1, z, y, x) of a slice, on the processor, and how it was made.

        looked_at: with its residual and the support, which learned methods always have.

        Raises ValueError, or RuntimeError, naming the method, the slice and the cause; Stopped where nobody waits.
        """
        looked_at = looked_at or self.first.learned
        if not self.reason:
            self.progress.begin(f"{self.first.name} at {one}")
            try:
                self.first.prepare(one.kspace, self.field_tesla)
                with deadline(self.limit) as limit, listening(self.progress, self.progress.remark):
                    image, made = self.first(one, looked_at=looked_at)
                done, total = self.progress.done, self.progress.total
                return image, replace(
                    made,
                    iterations=(done, total) if total else None,
                    late=limit.seconds if limit.met else 0.0,
                    remarks=tuple(self.progress.remarks),
                )
            except Stopped:
                raise
            except Exception as error:
                if self.fallback is None:
                    raise _named(error, f"{self.first.name} at {one}") from error
                self.reason = f"at {one}: {describe_error(error)}"
            # Past the handler, so that nothing holds the frames, and in them the memory, of what failed.
            if self.first.device.type == "cuda":
                torch.cuda.empty_cache()
            log.warning("%s failed %s; %s reconstructs from here on", self.first.name, self.reason, self.fallback.name)
        assert self.fallback is not None
        try:
            self.fallback.prepare(one.kspace, self.field_tesla)
            image, made = self.fallback(one, looked_at=looked_at)
        except Exception as error:
            where = f"{self.fallback.name} at {one}, in place of {self.first.name} ({self.reason})"
            raise _named(error, where) from error
        return image, replace(made, reason=self.reason)

    def at_once(self, joined: Slice, count: int, *, looked_at: bool) -> tuple[Tensor, Made] | None:
        """Images of `count` slices that were joined along LOC; None where the method does not make them.

        Raises Stopped where nobody waits.
        """
        if self.reason:
            return None
        self.progress.begin(f"{self.first.name} at {count} slices from {joined}")
        try:
            self.first.prepare(joined.kspace, self.field_tesla)
            with deadline(count * self.limit), listening(self.progress, self.progress.remark):
                image, made = self.first(joined, looked_at=looked_at or self.first.learned)
                return image, replace(made, remarks=tuple(self.progress.remarks))
        except Stopped:
            raise
        except Exception as error:
            log.info("%d slices from %s are not made at once: %s", count, joined, describe_error(error))
            return None


def warm(name: str, method: Method, device: torch.device) -> Attempt:
    """Have a method's model in memory, and run it once on noise that its card allows."""
    attempt = Attempt(name, method, device)
    card: ModelCard = method.trained(device)[1]  # type: ignore[attr-defined]
    size = min(max(card.matrix[0], 64), card.matrix[1])
    data = torch.randn(1, card.coils[0], 1, size, size, dtype=torch.complex64)
    method(KSpace.from_data(data).to(device), torch.full_like(data, card.coils[0] ** -0.5).to(device))
    return attempt


def _named(error: Exception, where: str) -> Exception:
    kind = ValueError if isinstance(error, ValueError) else RuntimeError
    return kind(f"{where}: {describe_error(error)}")


def _acquired(kspace: KSpace) -> KSpace:
    """The images of Cartesian k-space of which something was acquired: buffers have places for others too."""
    if kspace.trajectory is not None:
        return kspace
    mask = kspace.mask.expand(*kspace.other, *kspace.mask.shape[-4:]).flatten(0, -5)
    there = mask.flatten(1).any(dim=1)
    return KSpace(data=kspace.data.flatten(0, -5)[there], mask=mask[there])


def _residual(kspace: KSpace, csm: Tensor, image: Tensor) -> Tensor | None:
    """||P F S x - y|| / ||y|| of each image; None where the calibration is not one set of maps alone."""
    if csm.shape[-4] != kspace.n_coils:
        return None
    axes, mask = (-4, -3, -2, -1), kspace.mask
    size = torch.linalg.vector_norm(kspace.data * mask, dim=axes)
    apart = torch.linalg.vector_norm((encoding(kspace, csm)(image) - kspace.data) * mask, dim=axes)
    return (apart / torch.where(size > 0, size, 1)).cpu()


def _share(calibration: Tensor, n_coils: int) -> float:
    """The share of points at which maps, which are the last channels of a calibration, are not 0."""
    return float((calibration[..., -n_coils:, :, :, :] != 0).any(dim=-4).float().mean())
