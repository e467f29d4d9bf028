"""What a method has calibrated, slice by slice, and its work on the slices of recon data."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import torch
from gadgetron.types.recon_data import ReconBit
from torch import Tensor

from gadgets.mri.kspace import KSpace
from gadgets.mri.methods import Method
from gadgets.recon_buffers import holds_maps, slices
from gadgets.stream.dtypes import ACQUISITION_HEADER
from gadgets.stream.headers import header_array
from gadgets.tensors import first_of_slice, kspace, of_slice, reference, require_calibration, tensor

T = TypeVar("T")

#: What can be reconstructed as it lies in the buffer: echo planar readouts are on the grid once they are corrected.
_ON_THE_GRID = ("cartesian", "epi")


class Calibrations:
    """Calibrations of one scan: one for each slice, from its reference or, without one, from its data.

    Maps in the reference are taken as they are. Of several N and S, the first with lines serves for all of the slice.
    """

    def __init__(self, name: str, method: Method, device: torch.device):
        self.name = name
        self.method = method
        self.device = device
        self._known: dict[tuple[Any, ...], Tensor | None] = {}

    def slices(self, bit: ReconBit, space: int, work: Callable[[KSpace, Tensor | None], T]) -> Iterator[tuple[int, T]]:
        """What `work` makes of the k-space (1, S, N, CHA, E2, E1, E0) of each slice and its calibration, with its LOC.

        Slices of which nothing was acquired are left out. What is raised is told with the method, slice and repetition.
        """
        whole = kspace(bit.data)
        csm = tensor(bit.ref.data) if holds_maps(bit.ref) else None
        own = None if csm is not None or bit.ref is None or not bit.ref.data.size else reference(bit.ref, bit.data)
        for loc, number in enumerate(slices(bit.data)):
            if number is None:
                continue
            try:
                found = csm[loc : loc + 1] if csm is not None else self._calibration(own, whole, loc, (space, number))
                part = of_slice(whole, loc).to(self.device)
                made = work(part, None if found is None else found.to(self.device))
            except Exception as error:
                repetition = header_array(bit.data.headers, ACQUISITION_HEADER)["idx"]["repetition"].max()
                kind = ValueError if isinstance(error, ValueError) else RuntimeError
                raise kind(f"{self.name} at slice {number}, repetition {repetition}: {error}") from error
            yield loc, made

    def _calibration(self, own: KSpace | None, whole: KSpace, loc: int, key: tuple[int, int]) -> Tensor | None:
        known = (*key, whole.n_coils, whole.image_matrix)
        if known not in self._known:
            part = first_of_slice(own if own is not None and own.mask[loc].any() else whole, loc)
            found = self.method.calibrate(part.to(self.device))
            if found is not None:
                require_calibration(part)
            self._known[known] = found
        return self._known[known]


def device_of(name: str) -> torch.device:
    """The device of a name; `auto` is CUDA where there is one. Raises ValueError, with what there is, if absent."""
    there = ["cpu"] + [f"cuda:{index}" for index in range(torch.cuda.device_count())]
    if name == "auto":
        return torch.device(there[1] if len(there) > 1 else "cpu")
    if name == "cuda" and len(there) > 1:
        # With its number, as tensors name it: whatever is kept for a device is then found again.
        return torch.device(there[1])
    if name not in there:
        raise ValueError(f"there is no device '{name}'; there are: auto, {', '.join(there)}")
    return torch.device(name)


def require_grid(header: Any, space: int, gadget: str) -> None:
    """Raise ValueError, naming the gadget, unless the samples of an encoding space lie on the Cartesian grid."""
    trajectory = header.encoding[space].trajectory.value if space < len(header.encoding) else "cartesian"
    if trajectory not in _ON_THE_GRID:
        raise ValueError(f"encoding space {space} is {trajectory}; {gadget} takes only {', '.join(_ON_THE_GRID)}")
