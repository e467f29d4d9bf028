"""K-space of a scan: samples, where they were taken, and with what density."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import product

import torch
from torch import Tensor


@dataclass(frozen=True, kw_only=True, eq=False)
class KSpace:
    """Samples of k-space with their sampling pattern.

    data: (*other, coil, k2, k1, k0) complex, zero where nothing was acquired.
    mask: (*other, 1, k2, k1, k0) bool, true where a sample was acquired; axes of length 1 broadcast against `data`, and
        are expanded along the matrix of Cartesian data.
    trajectory: None for Cartesian data, else (*other, 3, k2, k1, k0) real, components (z, y, x), cycles per field of
        view; axes of length 1 broadcast.
    dcf: None, or density compensation (*other, 1, k2, k1, k0) real; axes of length 1 broadcast.
    grid: with a trajectory, the matrix (z, y, x) of the image; None for Cartesian data, which have the image's.

    Raises TypeError for a wrong dtype and ValueError for a wrong shape, each naming what was given and expected.
    """

    data: Tensor
    mask: Tensor
    trajectory: Tensor | None = None
    dcf: Tensor | None = None
    grid: tuple[int, int, int] | None = None

    def __post_init__(self) -> None:
        _require_data(self.data)
        if self.mask.dtype != torch.bool:
            raise TypeError(f"mask is {self.mask.dtype}, expected torch.bool")
        self._require_shape("mask", self.mask, 1)
        if self.trajectory is None:
            # Whoever looks for lines and regions in a mask finds all of the grid in it.
            object.__setattr__(self, "mask", self.mask.expand(*self.mask.shape[:-3], *self.matrix))
        if self.trajectory is not None:
            self._require_shape("trajectory", self.trajectory, 3)
        if self.dcf is not None:
            self._require_shape("dcf", self.dcf, 1)
        if (self.trajectory is None) != (self.grid is None):
            raise ValueError(
                "k-space has a trajectory and the grid of its image, or neither: "
                f"grid is {self.grid}, trajectory {'is None' if self.trajectory is None else 'is given'}"
            )

    def _require_shape(self, name: str, tensor: Tensor, components: int) -> None:
        """Refuse a tensor that does not broadcast against data with `components` in place of the coils."""
        expected = (*self.other, components, *self.matrix)
        given = tuple(tensor.shape)
        fits = len(given) == len(expected) and given[-4] == components
        if not fits or any(g not in (1, e) for g, e in zip(given, expected, strict=True)):
            raise ValueError(
                f"{name} has shape {given}, expected {expected} (or 1 in place of any axis but the fourth last) "
                f"for data of shape {tuple(self.data.shape)}"
            )

    @classmethod
    def from_data(cls, data: Tensor) -> KSpace:
        """Cartesian k-space (*other, coil, k2, k1, k0) whose samples are those where any coil is not zero."""
        _require_data(data)
        return cls(data=data, mask=(data != 0).any(dim=-4, keepdim=True))

    @property
    def n_coils(self) -> int:
        """Number of receiver channels."""
        return self.data.shape[-4]

    @property
    def other(self) -> tuple[int, ...]:
        """Lengths of the axes before the coils."""
        return tuple(self.data.shape[:-4])

    @property
    def matrix(self) -> tuple[int, int, int]:
        """(k2, k1, k0)."""
        k2, k1, k0 = self.data.shape[-3:]
        return k2, k1, k0

    @property
    def image_matrix(self) -> tuple[int, int, int]:
        """(z, y, x) of the image."""
        return self.grid if self.grid is not None else self.matrix

    @property
    def acceleration(self) -> float:
        """Places of k-space per acquired sample, over all slices; infinite when nothing was acquired."""
        acquired = self.mask.sum().item()
        return self.mask.numel() / acquired if acquired else float("inf")

    def to(self, device: torch.device | str) -> KSpace:
        """The same k-space on another device."""
        return self._each(lambda x: x.to(device))

    def volumes(self, csm: Tensor) -> Iterator[tuple[KSpace, Tensor]]:
        """Each element of `other` alone, with its maps of csm (*other, coil, z, y, x), whose axes of 1 broadcast."""
        for index in product(*map(range, self.other)):
            at = partial(_at, index=index)
            yield self._each(at), at(csm)

    def require_finite(self) -> None:
        """Raise ValueError if a sample is NaN or infinite, saying how many are and where the first is."""
        finite = torch.isfinite(torch.view_as_real(self.data)).all(dim=-1)
        if not finite.all():
            wrong = (~finite).nonzero()
            axes = [f"other{axis}" for axis in range(len(self.other))] + ["coil", "k2", "k1", "k0"]
            first = ", ".join(f"{axis} {index}" for axis, index in zip(axes, wrong[0].tolist(), strict=True))
            raise ValueError(f"k-space holds {len(wrong)} samples that are NaN or infinite, the first at {first}")

    def require_cartesian(self, method: str) -> None:
        """Raise ValueError if the samples lie off the grid; `method` is named in the message."""
        if self.trajectory is not None:
            raise ValueError(
                f"{method} reconstructs Cartesian k-space, but this k-space has a trajectory "
                f"of shape {tuple(self.trajectory.shape)}"
            )

    def require_trajectory(self, method: str) -> None:
        """Raise ValueError if the samples lie on the grid; `method` is named in the message."""
        if self.trajectory is None:
            raise ValueError(
                f"{method} reconstructs k-space along a trajectory, but this k-space of shape {tuple(self.data.shape)} "
                "is Cartesian"
            )

    def sets_of_maps(self, csm: Tensor) -> int:
        """How many sets csm (*other, set * coil, z, y, x) holds; axes of 1 in `other` broadcast.

        Raises ValueError unless it has a multiple of these coils, and the matrix of the image.
        """
        given, expected = tuple(csm.shape), self._coil_images
        fits = len(given) == len(expected) and given[-3:] == expected[-3:]
        if not fits or any(g not in (1, e) for g, e in zip(given[:-4], expected[:-4], strict=True)):
            raise self._other_maps(given)
        sets, rest = divmod(given[-4], self.n_coils)
        if sets < 1 or rest:
            raise self._other_maps(given)
        return sets

    def require_series(self, method: str) -> None:
        """Raise ValueError unless the axis before the coils has several frames; `method` is named in the message."""
        if not self.other or self.other[-1] < 2:
            raise ValueError(
                f"{method} reconstructs series of images from what they have in common, but k-space of shape "
                f"{tuple(self.data.shape)} has a single frame on the axis before the coils"
            )

    def require_maps(self, csm: Tensor) -> None:
        """Raise ValueError unless csm (*other, coil, z, y, x) is one set of maps, of these coils and this image."""
        if self.sets_of_maps(csm) != 1:
            raise self._other_maps(tuple(csm.shape))

    def _each(self, change: Callable[[Tensor], Tensor]) -> KSpace:
        """K-space of which each tensor is changed."""
        return KSpace(
            data=change(self.data),
            mask=change(self.mask),
            trajectory=None if self.trajectory is None else change(self.trajectory),
            dcf=None if self.dcf is None else change(self.dcf),
            grid=self.grid,
        )

    @property
    def _coil_images(self) -> tuple[int, ...]:
        return (*self.other, self.n_coils, *self.image_matrix)

    def _other_maps(self, given: tuple[int, ...]) -> ValueError:
        what = "k-space has shape" if self.grid is None else "the images of the coils have shape"
        return ValueError(f"csm has shape {given}, {what} {self._coil_images}: coils and matrix must be the same")


def _at(x: Tensor, index: tuple[int, ...]) -> Tensor:
    """An element of leading axes, of which those of length 1 broadcast."""
    return x[tuple(i if length > 1 else 0 for i, length in zip(index, x.shape, strict=False))]


def _require_data(data: Tensor) -> None:
    """Refuse what cannot be samples of k-space."""
    if data.ndim < 4:
        raise ValueError(f"data has shape {tuple(data.shape)}, expected (*other, coil, k2, k1, k0)")
    if not data.is_complex():
        raise TypeError(f"data is {data.dtype}, expected a complex dtype")
