"""What K-UNN's paper claims, small: docs/claims_k_unn.md and docs/pictures/fit_k_unn.png.

Run: DEEPGADGETS_DATA=FOLDER python tests/benchmarks/claims_k_unn.py [--size 64] [--iterations 400] [--seeds 0 1 2]
First, heads of 12 ellipses with faint texture and a smooth phase, six Gaussian coils, and noise of 0.005 of the
brightest point; then the middle of the k-space of a brain, its 16 channels compressed to six. PSNR of magnitudes, over
all of the image; the truth of the heads has no noise, that of the brain its own. SAKE* has the rank that is best
against the truth, which no patient's scan can give. Needs matplotlib.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from torch import Tensor, nn

from gadgets.mri.calibration.compression import compression_matrix
from gadgets.mri.fft import fft, ifft
from gadgets.mri.kspace import KSpace
from gadgets.mri.methods import Method, k_unn
from gadgets.mri.methods.cg_sense import CgSense
from gadgets.mri.methods.homodyne import Homodyne
from gadgets.mri.methods.k_unn import KUnn
from gadgets.mri.methods.pocs_partial_fourier import PocsPartialFourier
from gadgets.mri.methods.sake import Sake
from gadgets.mri.solvers.fit import Fit, fit
from gadgets.mri.solvers.progress import listening
from tests.support.brain import brain
from tests.support.heads import decibels

NOISE = 0.005
RANKS = (0.6, 0.9, 1.3)
PARTIAL = ("partial Fourier 5/8", "partial Fourier 5/8, every 2nd line")
RANDOM = "random lines, R = 4"


def head(n: int, random: np.random.Generator) -> NDArray[np.complex128]:
    """An image (y, x), 1 at its brightest."""
    y, x = np.linspace(-1, 1, n)[:, None], np.linspace(-1, 1, n)

    def ellipse(cy: float, cx: float, a: float, b: float, tilt: float) -> NDArray[np.float64]:
        u = np.cos(tilt) * (x - cx) + np.sin(tilt) * (y - cy)
        v = np.cos(tilt) * (y - cy) - np.sin(tilt) * (x - cx)
        return np.clip((1 - np.hypot(u / a, v / b)) * min(a, b) * n / 2 + 0.5, 0, 1)

    body = ellipse(0, 0, random.uniform(0.6, 0.7), random.uniform(0.75, 0.85), random.uniform(-0.2, 0.2))
    image = 0.5 * body
    for _ in range(12):
        where, size = random.uniform(-0.45, 0.45, 2), random.uniform(0.05, 0.3, 2)
        image += random.uniform(-0.3, 0.4) * body * ellipse(*where, *size, random.uniform(0, np.pi))
    image = np.clip(image, 0, None) * (1 + 0.06 * gaussian_filter(random.standard_normal((n, n)), 1))
    c = random.uniform(-1, 1, 5)
    return image / image.max() * np.exp(1j * (c[0] * y + c[1] * x + c[2] * y * x + c[3] * y**2 + c[4] * x**2))


def coils(n: int, count: int, random: np.random.Generator) -> NDArray[np.complex128]:
    """Maps (coil, y, x), sum_coil |csm|^2 = 1."""
    y, x = np.linspace(-1, 1, n)[:, None], np.linspace(-1, 1, n)
    angle = (2 * np.pi * (np.arange(count) + random.uniform()) / count)[:, None, None]
    distance = (y - 1.1 * np.sin(angle)) ** 2 + (x - 1.1 * np.cos(angle)) ** 2
    turn = random.uniform(-1, 1, (3, count, 1, 1))
    maps = np.exp(-distance / (2 * 0.9**2) + 1j * (np.pi * turn[0] + turn[1] * y + turn[2] * x))
    return maps / np.linalg.norm(maps, axis=0)


def simulated(n: int, seed: int) -> tuple[Tensor, Tensor]:
    """K-space (coil, 1, n, n) with noise, and the magnitude (1, 1, n, n)."""
    random = np.random.default_rng(seed)
    image = head(n, random)
    data = fft(torch.from_numpy(coils(n, 6, random) * image).to(torch.complex64)[:, None], (-2, -1))
    noise = torch.randn(data.shape, dtype=data.dtype, generator=torch.Generator().manual_seed(seed))
    return data + NOISE * noise, torch.from_numpy(np.abs(image))[None, None]


def pattern(name: str, n: int, seed: int = 0) -> Tensor:
    """Mask (1, 1, n, n) of lines along k0."""
    lines = torch.zeros(n, dtype=torch.bool)
    last, middle = round(5 / 8 * n), n // 2
    if name == RANDOM:
        distance = np.abs(np.arange(n) - middle) / middle
        lines[middle - n // 16 : middle + n // 16] = True
        likely = np.where(lines, 0, (1 - 0.9 * distance) ** 2)
        random = np.random.default_rng(seed)
        lines[random.choice(n, n // 4 - int(lines.sum()), replace=False, p=likely / likely.sum())] = True
    else:
        lines[: last : 1 if name == PARTIAL[0] else 2] = True
        lines[middle - n // 9 : min(middle + n // 9, last)] = True
    return lines[:, None].expand(n, n)[None, None]


def sampled(data: Tensor, mask: Tensor) -> KSpace:
    return KSpace(data=data * mask, mask=mask)


@dataclass
class Course:
    """A fit, as it went: PSNR after each look, which iterate was kept, and its error of held-out samples."""

    done: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    kept: int = 0
    error: float = 0.0

    @property
    def missed(self) -> float:
        """How much the best iterate is better than the one that was kept, in dB."""
        return max(self.values) - self.values[self.done.index(self.kept)]


def followed(method: KUnn, kspace: KSpace, truth: Tensor) -> tuple[Tensor, Course]:
    """The image of one slice, and the course of its fit. The truth is looked at, but decides nothing."""
    course = Course()
    data, mask = kspace.data[:, 0], kspace.mask[:, 0]

    def watched(module: nn.Module, *settings: object, **named: object) -> Fit:
        scale = k_unn._size(data, mask, module.weight)

        def look(done: int, total: int, text: str) -> None:
            with torch.no_grad():
                found = torch.where(mask, data, fft(module().mean(dim=0), (-2, -1)) * scale)
                course.done.append(done)
                course.values.append(decibels(Sake()(KSpace.from_data(found[:, None])), truth))

        with listening(look):
            result = fit(module, *settings, **named)
        course.kept, course.error = result.kept, float(result.validation.min())
        return result

    with mock.patch.object(k_unn, "fit", watched):
        return method(kspace), course


@dataclass
class Row:
    """Methods on one scan: PSNR and seconds by name, the images, and the courses of the fits."""

    name: str
    seed: int
    truth: Tensor
    values: dict[str, float] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    images: dict[str, Tensor] = field(default_factory=dict)
    courses: dict[str, Course] = field(default_factory=dict)

    def run(self, methods: Mapping[str, Method], kspace: KSpace) -> Row:
        for text, method in methods.items():
            began = time.process_time()
            if isinstance(method, KUnn):
                image, self.courses[text] = followed(method, kspace, self.truth)
            else:
                image = method(kspace, method.calibrate(kspace))
            self.seconds[text] = time.process_time() - began
            self.values[text], self.images[text] = decibels(image, self.truth), image
        return self


@dataclass(frozen=True, kw_only=True)
class BestSake(Sake):
    """SAKE with the rank that is best against the truth."""

    truth: Tensor

    def __call__(self, kspace: KSpace, calibration: None = None) -> Tensor:
        images = (Sake(rank=rank)(kspace) for rank in RANKS)
        return max(images, key=lambda image: decibels(image, self.truth))


def head_row(name: str, seed: int, size: int, iterations: int) -> Row:
    """One simulated scan."""
    torch.set_num_threads(1)
    data, truth = simulated(size, seed)
    kspace = sampled(data, pattern(name, size, seed))
    full = KUnn(iterations=iterations)
    methods: dict[str, Method] = {"zeros": Sake(iterations=0), "SAKE*": BestSake(truth=truth), "K-UNN": full}
    methods |= {"no phase": replace(full, phase=False)}
    if name == RANDOM:
        methods |= {"no tv": replace(full, tv=0.0), "no filter": replace(full, filter=0.0)}
    row = Row(name, seed, truth).run(methods, kspace)
    print(f"{name}, {seed}: {row.values}", file=sys.stderr, flush=True)
    return row


def brain_row(name: str, seed: int, folder: Path, size: int, iterations: int) -> Row:
    """The middle of the brain's k-space, of six virtual channels; seed: of the fit, and of lines at random."""
    torch.set_num_threads(1)
    whole, _, _ = brain(folder, 2)
    rest = (128 - size) // 2
    middle = whole.data[:, 0, rest : rest + size, rest : rest + size].numpy()
    channels = compression_matrix(middle.reshape(16, -1), coils=6)
    data = torch.from_numpy(np.einsum("vc,cyx->vyx", channels, middle).astype(np.complex64))[:, None]
    truth = ifft(data, (-2, -1)).norm(dim=0, keepdim=True)
    kspace = sampled(data, pattern(name, size, seed))
    full = KUnn(iterations=iterations, seed=seed)
    methods: dict[str, Method] = {
        "zeros": Sake(iterations=0),
        "cg_sense": CgSense(),
        "SAKE*": BestSake(truth=truth),
        "K-UNN": full,
        "no phase": replace(full, phase=False),
    }
    if name == PARTIAL[0]:
        methods |= {"homodyne": Homodyne(), "pocs": PocsPartialFourier()}
    row = Row(name, seed, truth).run(methods, kspace)
    print(f"brain, {name}, {seed}: {row.values}", file=sys.stderr, flush=True)
    return row


def table(title: str, rows: Sequence[Row]) -> None:
    """PSNR on each scan, how far iterates that were kept are from the best, and errors of held-out samples."""
    print(f"\n{title}\n\n| sampling | seed | PSNR in dB | seconds of K-UNN | best iterate less kept | held out |")
    print("|---|---|---|---|---|---|")
    for row in rows:
        values = ", ".join(f"{text} {value:.1f}" for text, value in row.values.items())
        missed = row.courses["K-UNN"].missed
        held = " / ".join(f"{row.courses[text].error:.3f}" for text in ("K-UNN", "no phase"))
        print(f"| {row.name} | {row.seed} | {values} | {row.seconds['K-UNN']:.0f} | {missed:.2f} dB | {held} |")


def differences(rows: Sequence[Row]) -> None:
    """By how much K-UNN is ahead, over the seeds."""
    print("\n| K-UNN less | mean | spread | least |\n|---|---|---|---|")
    for name in dict.fromkeys(row.name for row in rows):
        for text in ("SAKE*", "no phase", "no tv", "no filter"):
            ahead = [row.values["K-UNN"] - row.values[text] for row in rows if row.name == name and text in row.values]
            if ahead:
                print(f"| {text}, {name} | {np.mean(ahead):+.1f} | {np.std(ahead):.1f} | {min(ahead):+.1f} |")


def picture(rows: Sequence[Row], file: Path) -> None:
    """Errors against iterations, with the iterates that were kept; images, each above five times its error."""
    import matplotlib.pyplot as plt

    most = max(len(row.images) for row in rows)
    figure = plt.figure(figsize=(2 * (most + 3), 3.6 * len(rows)), layout="constrained")
    parts = figure.subfigures(len(rows), 2, width_ratios=(3, most + 1), squeeze=False)
    for row, (left, right) in zip(rows, parts, strict=True):
        axis = left.subplots()
        for text, course in row.courses.items():
            (line,) = axis.plot(course.done, course.values, label=text)
            axis.plot(course.kept, course.values[course.done.index(course.kept)], "o", color=line.get_color())
        axis.set(title=row.name, xlabel="iterations (dot: kept by held-out samples)", ylabel="PSNR in dB")
        axis.legend()
        cells = right.subplots(2, 1 + len(row.images), squeeze=False)
        for (text, image), (above, below) in zip({"truth": row.truth, **row.images}.items(), cells.T, strict=True):
            plane, white = image.abs()[0, 0], float(row.truth.max())
            above.imshow(plane, cmap="gray", vmin=0, vmax=white)
            above.set_title(text)
            below.imshow(5 * (plane - row.truth[0, 0]).abs(), cmap="gray", vmin=0, vmax=white)
            above.axis("off")
            below.axis("off")
    figure.savefig(file, dpi=70)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--iterations", type=int, default=KUnn.iterations)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--processes", type=int, default=3)
    parser.add_argument("--picture", type=Path, default=Path("docs/pictures/fit_k_unn.png"))
    given = parser.parse_args()
    folder = os.environ.get("DEEPGADGETS_DATA")
    places = [(name, seed) for seed in given.seeds for name in (*PARTIAL, RANDOM)]
    # Forked processes would share the state of torch's threads.
    with ProcessPoolExecutor(given.processes, mp_context=multiprocessing.get_context("spawn")) as pool:
        jobs = [pool.submit(head_row, *at, given.size, given.iterations) for at in places]
        brains = [pool.submit(brain_row, *at, Path(folder), given.size, given.iterations) for at in places if folder]
        rows = sorted((job.result() for job in jobs), key=lambda row: (row.name, row.seed))
        table(f"Simulated heads, {given.size} x {given.size}, {given.iterations} iterations", rows)
        differences(rows)
        if brains:
            measured = sorted((job.result() for job in brains), key=lambda row: (row.name, row.seed))
            table(f"Brain, {given.size} x {given.size}, {given.iterations} iterations", measured)
            differences(measured)
        else:
            print("\nno scanner data: DEEPGADGETS_DATA is not set")
            measured = []
        picture([row for row in rows + measured if row.seed == given.seeds[0]], given.picture)


if __name__ == "__main__":
    main()
