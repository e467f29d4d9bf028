"""The scans of the table of methods. Scanner data come from DEEPGADGETS_DATA; what needs them is left out without."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gadgets.mri.calibration.compression import compression_matrix
from gadgets.mri.calibration.time_average import time_average
from gadgets.mri.kspace import KSpace
from gadgets.mri.methods.adaptive_combine import AdaptiveCombine
from gadgets.mri.operators.non_uniform_fourier import NonUniformFourierOp
from gadgets.mri.phantom.scan import coil_maps, sample, truth
from gadgets.mri.phantom.trajectories import radial
from gadgets.mri.quality.support import support
from tests.support.brain import brain
from tests.support.series import heart, in_turns, sampled


@dataclass(frozen=True, kw_only=True)
class Scan:
    """name: of its picture. truth: magnitudes (frame, y, x), or None where samples were left out (`left`) instead.
    inside: where errors are counted. frame: the one in the picture."""

    name: str
    title: str
    text: str
    kspace: KSpace
    reference: KSpace
    truth: NDArray[np.float32] | None = None
    inside: NDArray[np.bool_] | None = None
    left: KSpace | None = None
    frame: int = 0


def scans() -> Iterator[Scan]:
    """All that can be made here."""
    yield _radial(33)
    folder = os.environ.get("DEEPGADGETS_DATA")
    if not folder:
        print("no scanner data: DEEPGADGETS_DATA is not set")
        return
    for acceleration in (2, 3):
        yield _lines(Path(folder), acceleration)
    yield _poisson_with_truth(Path(folder))
    yield _poisson(Path(folder))
    yield _cine(Path(folder))
    yield _radial_cine(Path(folder))


def scans_for_fits() -> Iterator[Scan]:
    """Scans for methods that learn from each scan alone: all of one frame and, of 16 channels, the first virtual 8."""
    folder = os.environ.get("DEEPGADGETS_DATA")
    if folder:
        _, imaging, reference = brain(Path(folder), 3)
        full, _, _ = brain(Path(folder), 2)
        mix = torch.from_numpy(compression_matrix(full.data.flatten(1).numpy(), coils=8))
        few = replace(full, data=torch.einsum("vc,cxyz->vxyz", mix, full.data))
        image = _combined(few)
        for name, (title, mask, calibration) in _samplings(imaging.mask, reference.mask).items():
            yield Scan(
                name=f"fits_{name}",
                title=f"Brain, {title}",
                text="3 T, 128 x 128, undersampled afterwards.",
                kspace=KSpace(data=few.data * mask, mask=mask),
                reference=KSpace(data=few.data * calibration, mask=calibration),
                truth=image,
                inside=support(image),
            )
    yield replace(_radial(33), name="fits_radial_33")


def _samplings(third: Tensor, lines: Tensor) -> dict[str, tuple[str, Tensor, Tensor]]:
    """Title, mask and mask of the calibration by name. lines: the 24 of the calibration."""

    def every(n: int, part: float = 1.0) -> Tensor:
        mask = torch.zeros_like(lines)
        mask[..., : round(part * mask.shape[-2]) : n, :] = True
        return mask | lines

    points = poisson_disc(128, 8, centre=24)
    return {
        "r3": ("R = 3, calibration lines in the data", third | lines, lines),
        "r4": ("R = 4, calibration lines in the data", every(4), lines),
        "r6": ("R = 6, calibration lines in the data", every(6), lines),
        "poisson_r8": ("Poisson disc, R = 8", points, points),
        "partial": ("every second line of 5/8 of k-space, calibration lines in the data", every(2, 5 / 8), lines),
    }


def _combined(full: KSpace) -> NDArray[np.float32]:
    """The truth of a scan of which all samples are known."""
    method = AdaptiveCombine()
    return method(full, method.calibrate(full)).abs().numpy().reshape(-1, *full.matrix[-2:])


def _lines(folder: Path, acceleration: int) -> Scan:
    full, imaging, reference = brain(folder, acceleration)
    image = _combined(full)
    return Scan(
        name=f"brain_lines_r{acceleration}",
        title=f"Brain, every {('second', 'third')[acceleration - 2]} line",
        text=(
            f"3 T, 16 coils, 128 x 128, undersampled afterwards (R = {acceleration}), with 24 calibration lines, "
            "which serve for calibration only: methods that know no calibration do without them. The truth, the "
            "adaptive combination of the full scan, has noise of its own."
        ),
        kspace=imaging,
        reference=reference,
        truth=image,
        inside=support(image),
    )


def _poisson_with_truth(folder: Path) -> Scan:
    full, _, _ = brain(folder, 2)
    image = _combined(full)
    mask = poisson_disc(128, 8, centre=24)
    kspace = KSpace(data=full.data * mask, mask=mask)
    return Scan(
        name="brain_poisson_r8",
        title="Brain, Poisson disc, R = 8",
        text=("The same full scan, undersampled afterwards on a Poisson disc, with a centre of 24 x 24 points."),
        kspace=kspace,
        reference=kspace,
        truth=image,
        inside=support(image),
    )


def _poisson(folder: Path) -> Scan:
    data = torch.from_numpy(np.load(folder / "kspace" / "brain_8ch_poisson_R8.npy"))[:, None]
    mask = KSpace.from_data(data).mask
    left = (torch.rand(mask.shape, generator=torch.Generator().manual_seed(0)) < 0.1) & mask
    # Maps are made from the centre, which stays whole.
    left[..., 103:127, 78:102] = False
    kspace = KSpace(data=data * (mask & ~left), mask=mask & ~left)
    return Scan(
        name="brain_scanned_poisson_r8",
        title="Brain, undersampled by the scanner, R = 8",
        text=(
            "8 coils, 230 x 180, Poisson disc. There is no truth: a tenth of the samples outside the centre was held "
            "out, and is foretold from the image and the maps. Noise cannot be foretold; nor can methods whose "
            "images go with no maps be measured so."
        ),
        kspace=kspace,
        reference=kspace,
        left=KSpace(data=data * left, mask=left),
    )


def _cine(folder: Path) -> Scan:
    images = heart(folder)
    kspace = sampled(images, in_turns(len(images), images.shape[-1], 8), noise=0.01)
    return Scan(
        name="cine_r8",
        title="Simulated cardiac cine, R = 8",
        text=(
            f"{len(images)} frames of {images.shape[-1]} x {images.shape[-1]} from magnitudes of a patient, with a "
            "smooth phase, 8 coils and noise of a hundredth of the brightest point. Each frame has 4 lines in the "
            "centre and 8 others, in turns. Calibration is from the mean of all frames, for all methods; errors are "
            "over all frames and the whole field of view. The picture shows one frame."
        ),
        kspace=kspace,
        reference=time_average(kspace),
        truth=images.abs().numpy().reshape(-1, *images.shape[-2:]),
        frame=8,
    )


def _radial(spokes: int, size: int = 128, coils: int = 8) -> Scan:
    places = radial(spokes, 2 * size, size)
    generator = torch.Generator().manual_seed(0)
    data = torch.from_numpy(sample(places[None], coils=coils)) * size
    image = np.abs(truth((size, size, 1))).astype(np.float32)
    # Of each sample, as in a Cartesian scan whose image has noise of a hundredth.
    data = data + 0.01 * image.max() * torch.randn(data.shape, dtype=data.dtype, generator=generator)
    kspace = KSpace(
        data=data,
        mask=torch.ones(1, 1, 1, 1, dtype=torch.bool),
        trajectory=torch.from_numpy(places.astype(np.float32)).movedim(-1, 0)[:, None],
        grid=(1, size, size),
    )
    return Scan(
        name=f"radial_{spokes}",
        title=f"Simulated radial scan, {spokes} spokes",
        text=f"Phantom, {coils} coils, {size} x {size}, readouts oversampled twice, noise.",
        kspace=kspace,
        reference=kspace,
        truth=image,
        inside=support(image),
    )


def _radial_cine(folder: Path, spokes: int = 16, coils: int = 8) -> Scan:
    images = heart(folder)
    size = images.shape[-1]
    maps = torch.from_numpy(coil_maps((size, size, 1), coils=coils))
    places = radial(len(images) * spokes, 2 * size, size, golden=True).astype(np.float32)
    trajectory = torch.from_numpy(places).reshape(len(images), spokes, -1, 3).movedim(-1, -3).unsqueeze(-3)
    data = NonUniformFourierOp(trajectory, (1, size, size))(maps / maps.norm(dim=0) * images)
    data = data + 0.01 * torch.randn(data.shape, dtype=data.dtype, generator=torch.Generator().manual_seed(0))
    mask = torch.ones(1, 1, 1, 1, 1, dtype=torch.bool)
    kspace = KSpace(data=data, mask=mask, trajectory=trajectory, grid=(1, size, size))
    return Scan(
        name="cine_radial",
        title=f"Simulated radial cine, {spokes} spokes in each frame",
        text=(
            f"The same frames, each seen along {spokes} spokes that go on by the golden angle "
            f"({size * np.pi / 2:.0f} would be needed), with 8 coils and noise. Calibration is from all frames "
            "together, for all methods; errors are over all frames and the whole field of view."
        ),
        kspace=kspace,
        reference=time_average(kspace),
        truth=images.abs().numpy().reshape(-1, size, size),
        frame=8,
    )


def poisson_disc(size: int, acceleration: float, *, centre: int) -> Tensor:
    """Mask (1, 1, size, size): the centre, and elsewhere points at random of which no two are near, as many as needed.

    The least distance grows from the centre outwards, to twice as much at the edge.
    Bridson, ACM SIGGRAPH 2007 sketches. doi:10.1145/1278780.1278807
    """
    y, x = np.mgrid[:size, :size] - size // 2
    order = np.random.default_rng(0).permutation(size * size)
    wanted = size * size / acceleration

    def throw(distance: float) -> NDArray[np.bool_]:
        taken = (np.abs(y + 0.5) < centre / 2) & (np.abs(x + 0.5) < centre / 2)
        blocked = taken.copy()
        for point in order:
            row, column = divmod(int(point), size)
            if blocked[row, column]:
                continue
            taken[row, column] = True
            apart = distance * (1 + np.hypot(row - size // 2, column - size // 2) / (size / 2))
            reach = int(apart) + 1
            part = np.s_[max(row - reach, 0) : row + reach + 1, max(column - reach, 0) : column + reach + 1]
            near = np.hypot(y[part] - y[row, column], x[part] - x[row, column]) < apart
            blocked[part] |= near
        return taken

    low, high = 0.5, 10.0
    while high - low > 0.01:
        middle = (low + high) / 2
        low, high = (middle, high) if throw(middle).sum() > wanted else (low, middle)
    return torch.from_numpy(throw(high))[None, None]
