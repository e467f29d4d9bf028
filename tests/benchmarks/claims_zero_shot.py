"""zs_ssl and unroll_inr, which learn from one scan, against methods that do not learn, and where they stop.

Run: python -m tests.benchmarks.claims_zero_shot heads [ACCELERATION [FOLDER]]
     DEEPGADGETS_DATA=FOLDER python -m tests.benchmarks.claims_zero_shot brain [ACCELERATION [FOLDER]]
     DEEPGADGETS_DATA=FOLDER python -m tests.benchmarks.claims_zero_shot phantom [ACCELERATION [FOLDER]]

heads: three random heads of 64 x 64 points seen by 4 coils, a fifth of the lines (or another share), noise of 0.01 of
the brightest point. Least squares have the better of two dampings, by the truth. brain: the measured brain, of whose
128 lines a fourth (or another share) is taken at random, denser towards the centre, of which 12 lines are full, in
three ways; maps are of 24 lines, 16 coils are compressed to 8. phantom: the same of a measured ball of water.

PSNR in dB of magnitudes against the truth: of the image that is returned ("kept", the mean of iterates), and of the
best iterate that there was ("best"), which only the truth tells. What stops never sees it. To FOLDER go pictures: each
image with five times its error, and the error against the iterations, with what was kept.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch
from torch import Tensor

from gadgets.inputs.raw import kspaces
from gadgets.mri.calibration import zero_shot
from gadgets.mri.calibration.compression import compression_matrix
from gadgets.mri.fft import ifft
from gadgets.mri.kspace import KSpace
from gadgets.mri.methods import create
from gadgets.mri.solvers.progress import listening
from tests.benchmarks.table_pictures import picture
from tests.support.brain import brain
from tests.support.heads import decibels, lines, scan

FITTED = ("zs_ssl", "unroll_inr")
LEAST_SQUARES = [("cg_sense", {"damping": damping}) for damping in (1e-3, 1e-2)]


@dataclass
class Course:
    """A fit as it went: iterations, images in units of the fit, held-out errors; which was best by these, and which are
    about as good, with the iterations since the look before: the image is their mean."""

    done: list[int] = field(default_factory=list)
    images: list[Tensor] = field(default_factory=list)
    validation: list[float] = field(default_factory=list)
    kept: int = 0
    good: dict[int, int] = field(default_factory=dict)

    def decibels(self, image: Tensor, truth: Tensor) -> list[float]:
        """Of each iterate made of all samples, `image` being what was returned."""
        good = [steps * self.images[self.done.index(done)] for done, steps in self.good.items()]
        mean = torch.stack(good).sum(dim=0) / sum(self.good.values())
        unit = float(image.abs().sum() / mean.abs().sum())
        assert (unit * mean - image.reshape(mean.shape)).norm() < 1e-3 * image.norm()
        return [decibels(unit * one, truth) for one in self.images]


def watched(method: Callable[[KSpace, Tensor], Tensor], kspace: KSpace, csm: Tensor) -> tuple[Tensor, Course]:
    """The image of a method that fits one volume, and how it went. The fit itself knows nothing of it."""
    course = Course()
    learn = zero_shot.learn

    def watching(module, volume, maps, **settings):
        everything = zero_shot.Samples.of(volume, maps)
        inside = (maps != 0).any(dim=-4, keepdim=True)

        def look(done: int, total: int, text: str) -> None:
            with torch.no_grad():
                course.done.append(done)
                course.images.append(module.mean(lambda member: member(everything)[0]) * inside)

        with listening(look):
            found = learn(module, volume, maps, **settings)
        course.kept, course.good, course.validation = found.kept, found.steps, found.validation.tolist()
        return found

    with patch.object(zero_shot, "learn", watching):
        image = method(kspace, csm)
    return image, course


def compared(kspace: KSpace, csm: Tensor, truth: Tensor, others: Sequence[tuple[str, dict]]) -> dict:
    """Images and courses by method; of the others, that setting which is nearest to the truth."""
    found: dict[str, tuple[Tensor, Course | None]] = {}
    for name, settings in others:
        image = create(name, settings)(kspace, csm)
        if name not in found or decibels(image, truth) > decibels(found[name][0], truth):
            found[name] = image, None
    for name in FITTED:
        begin = time.process_time()
        found[name] = watched(create(name), kspace, csm)
        print(f"  {name}: {time.process_time() - begin:.0f} s of one core", flush=True)
    return found


def report(results: Sequence[dict], truths: Sequence[Tensor]) -> None:
    """A line for each method: each scan, mean and spread, and how far what was kept is below the best."""
    for name in results[0]:
        values = [decibels(one[name][0], truth) for one, truth in zip(results, truths, strict=True)]
        line = f"{name:12}" + "".join(f"{value:7.2f}" for value in values)
        line += f"   mean {np.mean(values):6.2f} +- {np.std(values):.2f}"
        if results[0][name][1] is not None:
            for one, value, truth in zip(results, values, truths, strict=True):
                course = one[name][1].decibels(one[name][0], truth)
                best = int(np.argmax(course))
                line += f"   kept {one[name][1].kept} and {len(one[name][1].good) - 1} others"
                line += f", best {max(course):.2f} at {one[name][1].done[best]}"
                line += f" ({max(course) - value:.2f} dB)"
        print(line, flush=True)


def draw(results: Sequence[dict], truths: Sequence[Tensor], folder: Path, stem: str) -> None:
    """Images with errors of each scan, and the courses of each method that fits."""
    import matplotlib.pyplot as plt

    for seed, (one, truth) in enumerate(zip(results, truths, strict=True)):
        planes = {name: image.abs().numpy().reshape(1, *truth.shape[-2:]) for name, (image, _) in one.items()}
        reference = truth.abs().numpy().reshape(1, *truth.shape[-2:])
        picture(planes, reference, None, 0).save(folder / f"zero_shot_{stem}_{seed}.png")
    for name in FITTED:
        figure, (above, below) = plt.subplots(2, 1, sharex=True, figsize=(6, 6), layout="constrained")
        for index, (one, truth) in enumerate(zip(results, truths, strict=True)):
            image, course = one[name]
            values = course.decibels(image, truth)
            above.plot(course.done, values, color=f"C{index}", label=f"scan {index}")
            above.plot(course.kept, decibels(image, truth), "o", color=f"C{index}")
            below.plot(course.done, course.validation, color=f"C{index}")
            at = course.validation[course.done.index(course.kept)]
            below.plot(course.kept, at, "o", color=f"C{index}")
        above.set_ylabel("PSNR against the truth, dB")
        below.set_ylabel("error of samples to stop by")
        below.set_xlabel("iterations; dots: what was kept, by the lower curve alone")
        above.set_title(f"{name}, {stem.replace('_', ' ')}")
        above.legend()
        figure.savefig(folder / f"fit_{name}_{stem}.png", dpi=80)
        plt.close(figure)


def head(seed: int, acceleration: float) -> tuple[dict, Tensor]:
    """What methods make of one head, and its truth."""
    kspace, csm, truth = scan(seed, noise=0.01, coils=4, acceleration=acceleration)
    return compared(kspace, csm, truth, [*LEAST_SQUARES, ("inr", {})]), truth


def centre(n: int) -> Tensor:
    """The n lines in the middle of 128, (1, 1, k1, k0)."""
    line = torch.arange(128)
    return ((line - 64 >= -(n // 2)) & (line - 64 < n // 2))[:, None].expand(1, 1, 128, 128)


def whole(what: str) -> Tensor:
    """All of measured k-space, of 8 channels made of 16, (coil, 1, k1, k0)."""
    folder = Path(os.environ["DEEPGADGETS_DATA"])
    if what == "brain":
        full, _, reference = brain(folder, 3)
        data, middle = full.data, reference.data
    else:
        (samples,) = kspaces([folder / "mrd" / f"{what}_gre_3T_16ch_full.h5"])
        data = torch.from_numpy(samples)[:, None]
        middle = data[..., 52:76, 52:76]
    matrix = torch.from_numpy(compression_matrix(middle.flatten(1).numpy(), coils=8))
    return torch.einsum("vc,c...->v...", matrix, data)


def measured(what: str, seed: int, acceleration: float) -> tuple[dict, Tensor]:
    """What methods make of the brain, or the phantom, with lines drawn from the seed, and its truth."""
    data = whole(what)
    csm = create("zs_ssl").calibrate(KSpace(data=torch.where(centre(24), data, 0), mask=centre(24)))
    mask = lines(seed, size=128, acceleration=acceleration, centre=12)
    truth = (csm.conj() * ifft(data, (-3, -2, -1))).sum(dim=0, keepdim=True)
    kspace = KSpace(data=torch.where(mask, data, 0), mask=mask)
    return compared(kspace, csm, truth, [*LEAST_SQUARES, ("espirit_l1", {})]), truth


PARTS = {
    "heads": (head, 5.0),
    "brain": (partial(measured, "brain"), 4.0),
    "phantom": (partial(measured, "phantom"), 5.0),
}


def main(part: str, acceleration: float, folder: Path | None) -> None:
    """Three scans, the figures, and to a folder their pictures."""
    results, truths = [], []
    for seed in range(3):
        result, truth = PARTS[part][0](seed, acceleration)
        report([result], [truth])
        results.append(result)
        truths.append(truth)
    print(f"\n{part}, R = {acceleration:g}, three scans")
    report(results, truths)
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        draw(results, truths, folder, f"{part}_r{acceleration:g}")


if __name__ == "__main__":
    torch.set_num_threads(1)
    part, *rest = sys.argv[1:] or ("",)
    if part not in PARTS:
        raise SystemExit(f"there is no part {part!r}; there are: {', '.join(PARTS)}")
    main(part, float(rest[0]) if rest else PARTS[part][1], Path(rest[1]) if len(rest) > 1 else None)
