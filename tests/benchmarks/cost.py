"""What maps and methods cost, against the number of coils, the matrix and the number of slices.

Run: python -m tests.benchmarks.cost [FOLDER OF THE PICTURE, default docs/pictures]
Phantom at random points, R = 4, default settings; processor time on one core, medians of 3. Prints a table and, with
matplotlib, draws cost.png: both axes are logarithmic, and the grey line is cost in proportion to the number of samples.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch

from gadgets.mri.calibration.sensitivities import sensitivities
from gadgets.mri.kspace import KSpace
from gadgets.mri.methods.cg_sense import CgSense
from gadgets.mri.methods.espirit_l1 import EspiritL1
from tests.support.sampled_phantom import phantom_scan, random_sampling

# What varies, and what the others are meanwhile.
STANDARD = {"coils": 8, "matrix": 128, "slices": 1}
SIZES = {"coils": (4, 8, 16, 32), "matrix": (64, 128, 192, 256), "slices": (1, 2, 4, 8, 16)}


def scan(coils: int, matrix: int, slices: int) -> tuple[KSpace, torch.Tensor]:
    """K-space of slices that are alike, and maps of each."""
    kspace, csm, _ = phantom_scan(matrix, random_sampling(matrix, 4, centre=24), coils=coils)
    data = kspace.data.expand(slices, *kspace.data.shape).clone()
    return KSpace(data=data, mask=kspace.mask[None]), csm.expand(slices, *csm.shape).clone()


def seconds(work: Callable[[], object]) -> float:
    """The median of three, after one to warm up."""
    work()
    times = []
    for _ in range(3):
        began = time.process_time()
        work()
        times.append(time.process_time() - began)
    return statistics.median(times)


def measured() -> dict[str, dict[str, list[float]]]:
    """Seconds of each work, for each size of what varies."""
    found: dict[str, dict[str, list[float]]] = {}
    for axis, sizes in SIZES.items():
        for size in sizes:
            kspace, csm = scan(**{**STANDARD, axis: size})
            works = {
                "maps by ESPIRiT": lambda k=kspace: sensitivities(k),
                "cg_sense": lambda k=kspace, c=csm: CgSense()(k, c),
                "espirit_l1": lambda k=kspace, c=csm: EspiritL1()(k, c),
            }
            for name, work in works.items():
                found.setdefault(axis, {}).setdefault(name, []).append(seconds(work))
    return found


def draw(found: dict[str, dict[str, list[float]]], path: Path) -> None:
    """One panel for each thing that varies."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(1, len(found), figsize=(9, 3), sharey=True, layout="constrained")
    for panel, (axis, works) in zip(panels, found.items(), strict=True):
        sizes = SIZES[axis]
        for (name, values), marker in zip(works.items(), "os^", strict=True):
            panel.loglog(sizes, values, marker=marker, markersize=4, label=name)
        power = 2 if axis == "matrix" else 1
        first = min(values[0] for values in works.values()) / 1.6
        panel.loglog(sizes, [first * (size / sizes[0]) ** power for size in sizes], color="0.7", linewidth=1)
        panel.set_xticks(sizes, [str(size) for size in sizes])
        panel.set_xticks([], minor=True)
        panel.set_xlabel("matrix (points per axis)" if axis == "matrix" else axis)
        panel.grid(True, which="major", color="0.92")
    panels[0].set_ylabel("seconds of one core")
    panels[0].legend(frameon=False, fontsize=8)
    figure.savefig(path, dpi=110)


def main(folder: str = "docs/pictures") -> None:
    torch.set_num_threads(1)
    found = measured()
    for axis, works in found.items():
        print(f"\n| {axis} | {' | '.join(map(str, SIZES[axis]))} |\n|---|{'---|' * len(SIZES[axis])}")
        for name, values in works.items():
            print(f"| {name} | {' | '.join(f'{value:.3f} s' for value in values)} |")
    try:
        draw(found, Path(folder, "cost.png"))
    except ImportError as error:
        print(f"no picture: {error}")


if __name__ == "__main__":
    main(*sys.argv[1:])
