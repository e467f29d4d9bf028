"""What K-UNN's paper claims, small: docs/claims_k_unn.md and docs/pictures/fit_k_unn*.png.

Run: DEEPGADGETS_DATA=FOLDER python -m tests.benchmarks.claims_k_unn [--size 64] [--starts 4] [--seeds 0 1 2]
First, heads of 12 ellipses with faint texture and a smooth phase, six Gaussian coils, and noise of 0.005 of the
brightest point; the same with the magnitudes of three patients at 3 T; then spin echoes of three heads at 0.055 T, one
coil, as they were measured, and the middle of their k-space, where there is less noise; then the middle of that of
gradient echoes at 3 T, a brain and a phantom, their 16 channels compressed to six. PSNR of magnitudes, over all of the
image; the truth of what was simulated has no noise, that of the others its own. SAKE* has the rank that is best against
the truth, which no patient's scan can give. `limit`: of an image without any error but the noise of the samples that
were left out, which the truth has. Needs matplotlib.
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
from torch import Tensor, nn

from gadgets.mri.fft import ifft
from gadgets.mri.kspace import KSpace
from gadgets.mri.methods import Method, k_unn
from gadgets.mri.methods.cg_sense import CgSense
from gadgets.mri.methods.k_unn import KUnn
from gadgets.mri.networks.k_unn import KUnnNetwork
from gadgets.mri.solvers.fit import Fit
from gadgets.mri.solvers.progress import listening
from gadgets.mri.solvers.starts import Starts
from tests.benchmarks.k_unn_peers import SMOOTH, BestSake, Zeros
from tests.benchmarks.k_unn_scans import (
    GRADIENT_ECHOES,
    PARTIAL,
    PATIENTS,
    RANDOM,
    SPIN_ECHOES,
    combined,
    gradient_echo,
    sampled,
    simulated,
    spin_echo,
    unexplained,
)
from tests.support.heads import decibels


@dataclass
class Course:
    """A fit, as it went: PSNR after each look at the networks that were kept, and of the image at the end.

    errors: the least of held-out samples of each fit; the first two are those of the trial, where there was one.
    """

    done: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    end: float = 0.0
    errors: list[float] = field(default_factory=list)

    @property
    def missed(self) -> float:
        """How much the best iterate is better than the image, in dB."""
        return max(self.values) - self.end

    @property
    def trial(self) -> str:
        """Errors of held-out samples with a smooth phase and without."""
        smooth, rough = self.errors[:2]
        return f"{smooth:.3f} / {rough:.3f}{', refuted' * (smooth > k_unn._REFUTED * rough)}"


def followed(method: KUnn, kspace: KSpace, truth: Tensor) -> tuple[Tensor, Course]:
    """The image of one slice, and the course of its fit. The truth is looked at, but decides nothing."""
    courses: dict[nn.Module, Course] = {}
    errors = []
    fit = k_unn._Plane.fit

    def watched(plane: k_unn._Plane, networks: Starts[KUnnNetwork], iterations: int, rate: float) -> Fit:
        course = courses.pop(networks, Course())
        # The last one is that of the image.
        courses[networks] = course
        before = course.done[-1] if course.done else 0

        def look(done: int, total: int, text: str) -> None:
            with torch.no_grad():
                full = torch.where(plane.unknown == 0, plane.y * plane.size, plane.estimate(networks.leader))
                course.done.append(before + done)
                course.values.append(decibels(combined(ifft(full[:, None], (-2, -1))), truth))

        with listening(look):
            result = fit(plane, networks, iterations, rate)
        errors.append(float(result.validation.min()))
        return result

    with mock.patch.object(k_unn._Plane, "fit", watched):
        image = method(kspace)
    *_, course = courses.values()
    course.end, course.errors = decibels(image, truth), errors
    return image, course


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


def head_row(name: str, seed: int, size: int, full: KUnn, folder: Path | None = None) -> Row:
    """One simulated scan, of ellipses or, with scanner data, of the patient of that number."""
    data, truth = simulated(size, seed, folder)
    methods: dict[str, Method] = {"K-UNN": full, "no phase": replace(full, phase=False)}
    if name == RANDOM:
        methods |= without(full)
    return row(name, seed, truth, sampled(name, data, seed), methods)


def without(full: KUnn) -> dict[str, Method]:
    """Each without one of the priors that random lines are to need."""
    return {"no tv": replace(full, tv=0.0), "no filter": replace(full, filter=0.0)}


def spin_echo_row(name: str, patient: int, folder: Path, size: int | None, full: KUnn) -> Row:
    """One measured scan of one coil, or its middle; the number of the patient stands for the seed."""
    data, truth = spin_echo(folder, name, patient, size)
    methods: dict[str, Method] = {"K-UNN": full, "no phase": replace(full, phase=False), **SMOOTH}
    kspace = sampled(PARTIAL[0], data)
    made = row(name, patient, truth, kspace, methods)
    # Beside the head there is noise alone, whose magnitude has a mean square of twice that of its real part.
    missed = float((~kspace.mask).float().mean() * truth[..., :4, :].square().mean() / 2)
    made.values["limit"] = 10 * np.log10(float(truth.max()) ** 2 / missed)
    return made


def gradient_echo_row(what: str, name: str, seed: int, folder: Path, size: int, full: KUnn) -> Row:
    """One measured scan of six channels; seed: of the fit, and of lines at random."""
    data, truth = gradient_echo(folder, what, size)
    full = replace(full, seed=seed)
    methods: dict[str, Method] = {"cg_sense": CgSense(), "K-UNN": full, "no phase": replace(full, phase=False)}
    if name == PARTIAL[0]:
        methods |= SMOOTH
    if name == RANDOM:
        methods |= without(full)
    return row(name, seed, truth, sampled(name, data, seed), methods)


def row(name: str, seed: int, truth: Tensor, kspace: KSpace, methods: Mapping[str, Method]) -> Row:
    torch.set_num_threads(1)
    made = Row(name, seed, truth).run({"zeros": Zeros(), "SAKE*": BestSake(truth=truth), **methods}, kspace)
    print(f"{name}, {seed}: {made.values}", file=sys.stderr, flush=True)
    return made


def table(title: str, rows: Sequence[Row]) -> None:
    """PSNR on each scan, how far images are from the best iterate, and errors of held-out samples in the trial."""
    print(f"\n{title}\n\n| scan | seed | PSNR in dB | seconds of K-UNN | best iterate less image | trial |")
    print("|---|---|---|---|---|---|")
    for row in rows:
        values = ", ".join(f"{text} {value:.1f}" for text, value in row.values.items())
        course = row.courses["K-UNN"]
        print(
            f"| {row.name} | {row.seed} | {values} | {row.seconds['K-UNN']:.0f} "
            f"| {course.missed:.2f} dB | {course.trial} |"
        )


def differences(rows: Sequence[Row]) -> None:
    """By how much K-UNN is ahead, over the seeds."""
    print("\n| K-UNN less | mean | spread | least |\n|---|---|---|---|")
    for name in dict.fromkeys(row.name for row in rows):
        for text in ("SAKE*", "no phase", "no tv", "no filter"):
            ahead = [row.values["K-UNN"] - row.values[text] for row in rows if row.name == name and text in row.values]
            if ahead:
                print(f"| {text}, {name} | {np.mean(ahead):+.1f} | {np.std(ahead):.1f} | {min(ahead):+.1f} |")


def picture(rows: Sequence[Row], file: Path) -> None:
    """Errors against iterations, of the image as dots; images, each above five times its error."""
    import matplotlib.pyplot as plt

    most = max(len(row.images) for row in rows)
    figure = plt.figure(figsize=(2 * (most + 3), 3.6 * len(rows)), layout="constrained")
    parts = figure.subfigures(len(rows), 2, width_ratios=(3, most + 1), squeeze=False)
    for row, (left, right) in zip(rows, parts, strict=True):
        axis = left.subplots()
        for text, course in row.courses.items():
            (line,) = axis.plot(course.done, course.values, label=text)
            axis.plot(course.done[-1], course.end, "o", color=line.get_color())
        axis.set(title=row.name, xlabel="iterations (dot: the image)", ylabel="PSNR in dB")
        axis.legend()
        cells = right.subplots(2, 1 + len(row.images), squeeze=False)
        for (text, image), (above, below) in zip({"truth": row.truth, **row.images}.items(), cells.T, strict=True):
            plane, white = image.abs()[0, 0], float(row.truth.max())
            above.imshow(plane, cmap="gray", vmin=0, vmax=white)
            above.set_title(text)
            below.imshow(5 * (plane - row.truth[0, 0]).abs(), cmap="gray", vmin=0, vmax=white)
            above.axis("off")
            below.axis("off")
    figure.savefig(file, dpi=60)


def phases(folder: Path, size: int) -> None:
    """What no kernel of a few points explains of measured images by their conjugates."""
    scans = {what: gradient_echo(folder, what, size)[0] for what in GRADIENT_ECHOES}
    scans |= {f"{name}, {i}": spin_echo(folder, name, i)[0] for name in SPIN_ECHOES for i in range(len(PATIENTS))}
    kernels = (3, 5, 7, 15)
    print(f"\n| scan | {' | '.join(f'{kernel} points' for kernel in kernels)} |\n|---|" + "---|" * len(kernels))
    for name, data in scans.items():
        print(f"| {name} | {' | '.join(f'{unexplained(data, kernel):.2f}' for kernel in kernels)} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--starts", type=int, default=KUnn.starts)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--pictures", type=Path, default=Path("docs/pictures"))
    given = parser.parse_args()
    folder, full = os.environ.get("DEEPGADGETS_DATA"), KUnn(starts=given.starts)
    places = [(name, seed) for name in (*PARTIAL, RANDOM) for seed in given.seeds]
    # Forked processes would share the state of torch's threads.
    with ProcessPoolExecutor(given.processes, mp_context=multiprocessing.get_context("spawn")) as pool:
        jobs = {"_heads": [pool.submit(head_row, *at, given.size, full) for at in places]}
        if folder:
            data, size = Path(folder), given.size
            jobs["_anatomy"] = [
                pool.submit(head_row, name, patient, size, full, data)
                for name in (*PARTIAL, RANDOM)
                for patient in range(len(PATIENTS))
            ]
            for text, points in {"_spin_echoes": None, "_spin_echoes_middle": size}.items():
                jobs[text] = [
                    pool.submit(spin_echo_row, name, patient, data, points, full)
                    for name in SPIN_ECHOES
                    for patient in range(len(PATIENTS))
                ]
            for what in GRADIENT_ECHOES:
                jobs[f"_{what}"] = [pool.submit(gradient_echo_row, what, *at, data, size, full) for at in places]
        else:
            print("no scanner data: DEEPGADGETS_DATA is not set")
        for name, futures in jobs.items():
            rows = [future.result() for future in futures]
            table(name.strip("_").replace("_", " "), rows)
            differences(rows)
            shown = [row for row in rows if row.seed == given.seeds[0]]
            picture(shown[:3], given.pictures / f"fit_k_unn{name}.png")
    if folder:
        phases(Path(folder), given.size)


if __name__ == "__main__":
    main()
