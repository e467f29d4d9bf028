"""What curricula do for generators fitted to one scan: the section of docs/claims_fitted.md, and its pictures.

Run: python tests/benchmarks/claims_fitted.py [--size 64] [--iterations 1500] [--seeds 1 2 3] [--noise 0.08 0.01]
Random heads, 4 coils, R = 4 by lines at random, noise of 0.08 and of 0.01 of the brightest point. Each method fits nine
tenths of the samples and is validated on the others. PSNR of magnitudes is taken at each look; "final" is that of the
last iterate, "peak" that of the best one, which only the truth knows, and "kept" that of the image that the method
returns, which never sees the truth.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import matplotlib
import numpy as np
import torch
from torch import nn

from gadgets.mri.methods import create
from gadgets.mri.networks.field import Field
from gadgets.mri.networks.untrained_unet import UntrainedUnet
from gadgets.mri.quality.errors import psnr
from gadgets.mri.solvers.progress import listening
from tests.support.heads import scan

matplotlib.use("Agg")
from matplotlib import pyplot as plt  # noqa: E402 - after the choice of what draws

METHODS = ("deep_image_prior", "coggen_dip", "inr", "coggen_inr")
PAIRS = (("deep_image_prior", "coggen_dip", 2.0, 0.5), ("inr", "coggen_inr", 5.0, 2.5))
NOISY, CLEAN = 0.08, 0.01


@contextmanager
def made() -> Iterator[list[torch.Tensor]]:
    """The image that a generator made last."""
    last: list[torch.Tensor] = []

    def note(module: nn.Module, _: object, output: torch.Tensor) -> None:
        if isinstance(module, Field | UntrainedUnet):
            last[:] = [output.detach()]

    handle = nn.modules.module.register_module_forward_hook(note)
    try:
        yield last
    finally:
        handle.remove()


def measure(name: str, seed: int, noise: float, size: int, iterations: int) -> dict:
    """PSNR at each look, of the last iterate, and of the image that is returned."""
    kspace, csm, truth = scan(seed, noise=noise, size=size)
    looks, images = [], []
    with made() as last, listening(lambda done, *_: (looks.append(done), images.append(last[0]))):
        start = time.process_time()
        image = create(name, {"iterations": iterations})(kspace, csm)
        seconds = time.process_time() - start
    # The image is one of those, times the number that the samples were divided by.
    ratios = [(one.conj() * image).sum().real / one.abs().square().sum() for one in images]
    misfits = [float((ratio * one - image).norm()) for ratio, one in zip(ratios, images, strict=True)]
    kept = int(np.argmin(misfits))
    assert misfits[kept] < 1e-3 * float(image.norm())
    path = [psnr((ratios[kept] * one).abs().numpy(), truth.abs().numpy()) for one in images]
    return {"looks": looks, "path": path, "kept": kept, "seconds": seconds}


def figures(runs: dict, name: str, noise: float) -> dict[str, np.ndarray]:
    """For each seed: final, peak and kept, in dB."""
    found = [run for (method, _, level), run in runs.items() if method == name and level == noise]
    return {
        "final": np.array([run["path"][-1] for run in found]),
        "peak": np.array([max(run["path"]) for run in found]),
        "kept": np.array([run["path"][run["kept"]] for run in found]),
        "seconds": np.array([run["seconds"] for run in found]),
    }


def accept(runs: dict, levels: Sequence[float]) -> Iterator[tuple[str, float, str, bool]]:
    """(claim, figure, what is asked for, whether it holds): medians over the seeds."""
    for plain, cogged, gain, drop in PAIRS:
        for noise in levels:
            before, after = (figures(runs, name, noise) for name in (plain, cogged))
            found, least = float(np.median(after["final"] - before["final"])), gain if noise == NOISY else -1
            yield f"`{cogged}` over `{plain}`, last iterates, noise {noise}", found, f">= {least}", found >= least
            found = float(np.median(after["peak"] - after["final"]))
            yield f"`{cogged}`, its peak over its last iterate, noise {noise}", found, f"<= {drop}", found <= drop
    for name in METHODS:
        for noise in levels:
            one = figures(runs, name, noise)
            found = float(np.median(one["peak"] - one["kept"]))
            yield f"`{name}`, its peak over what it keeps, noise {noise}", found, "<= 0.3", found <= 0.3


def table(runs: dict, levels: Sequence[float]) -> str:
    """All figures, and what they are held against."""
    lines = ["| method | noise | final | peak | kept | seconds |", "|---|---|---|---|---|---|"]
    for noise in levels:
        for name in METHODS:
            one = figures(runs, name, noise)
            cells = [" / ".join(f"{value:.1f}" for value in one[key]) for key in ("final", "peak", "kept")]
            lines.append(f"| `{name}` | {noise} | {' | '.join(cells)} | {np.median(one['seconds']):.0f} |")
    lines += ["", "| claim, median over the seeds | dB | accepted | |", "|---|---|---|---|"]
    for claim, found, asked, holds in accept(runs, levels):
        lines.append(f"| {claim} | {found:+.2f} | {asked} | {'yes' if holds else '**no**'} |")
    return "\n".join(lines)


def draw(runs: dict, name: str, file: Path) -> None:
    """PSNR against iterations, with the iterate that was kept."""
    figure, axes = plt.subplots(figsize=(4.5, 3), layout="constrained")
    for noise, colour in ((NOISY, "tab:red"), (CLEAN, "tab:blue")):
        for (method, _, level), run in runs.items():
            if method == name and level == noise:
                label = None if f"noise {noise}" in axes.get_legend_handles_labels()[1] else f"noise {noise}"
                axes.plot(run["looks"], run["path"], color=colour, linewidth=1, label=label)
                axes.plot(run["looks"][run["kept"]], run["path"][run["kept"]], "o", color=colour, markersize=4)
    axes.set(xlabel="iterations", ylabel="PSNR in dB (dot: kept)", title=name)
    axes.legend()
    figure.savefig(file, dpi=90)
    plt.close(figure)


def main() -> None:
    """Measure what is not in the file of an earlier run, print, and draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--iterations", type=int, default=1500)
    parser.add_argument("--seeds", type=int, nargs="+", default=(1, 2, 3))
    parser.add_argument("--noise", type=float, nargs="+", default=(NOISY, CLEAN))
    parser.add_argument("--methods", nargs="+", default=METHODS, help="which to measure now")
    parser.add_argument("--record", type=Path, help="folder of JSON files: what is there is not measured again")
    parser.add_argument("--out", type=Path, help="folder of pictures")
    given = parser.parse_args()
    for folder in filter(None, (given.record, given.out)):
        folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    runs = {}
    for seed in given.seeds:
        for noise in given.noise:
            for name in given.methods:
                file = given.record and given.record / f"{name}_{seed}_{noise}_{given.size}_{given.iterations}.json"
                if file and file.is_file():
                    runs[name, seed, noise] = json.loads(file.read_text())
                    continue
                runs[name, seed, noise] = measure(name, seed, noise, given.size, given.iterations)
                if file:
                    file.write_text(json.dumps(runs[name, seed, noise]))
    if set(given.methods) == set(METHODS):
        print(table(runs, given.noise))
        for name in METHODS if given.out else ():
            draw(runs, name, given.out / f"fit_{name}.png")


if __name__ == "__main__":
    main()
