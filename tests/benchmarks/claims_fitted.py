"""What curricula do for generators fitted to one scan: the section of docs/claims_fitted.md, and its pictures.

Run: DEEPGADGETS_DATA=FOLDER python -m tests.benchmarks.claims_fitted [--on heads brain] [--size 64] [--alone]
     [--iterations N] [--seeds 1 2 3] [--noise 0.08 0.01] [--record FOLDER] [--out FOLDER]
     [--methods NAME ...] [--hard], for the figures of some methods alone; curricula that select samples
With `--alone`, each method has one network of 1500 iterations, as papers do; else as many as by default.
heads: a random head for each seed, seen by 4 coils. brain: the middle of the k-space of the measured brain, its 16
channels compressed to 4, with maps of the 24 lines in its centre; its own noise is in its truth. Both at R = 4 by lines
at random, with noise of 0.08 and of 0.01 of the brightest point added; mask, noise and network are drawn from the seed.
Each method fits nine tenths of the samples and is validated on the others. PSNR of magnitudes is taken at each look;
"final" is that of the last iterate, "peak" that of the best one, which only the truth knows, and "kept" that of the
image that the method returns, which never sees the truth: the mean of iterates that foretell as well as the best one.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch
from torch import Tensor, nn

from gadgets.mri.calibration.compression import compression_matrix
from gadgets.mri.calibration.sensitivities import sensitivities
from gadgets.mri.fft import ifft
from gadgets.mri.kspace import KSpace
from gadgets.mri.methods import create
from gadgets.mri.networks.field import Field
from gadgets.mri.networks.untrained_unet import UntrainedUnet
from gadgets.mri.quality.errors import psnr
from gadgets.mri.solvers import generator
from gadgets.mri.solvers.fit import Fit, fit
from gadgets.mri.solvers.progress import listening
from tests.support.brain import brain
from tests.support.heads import lines, scan

ALONE = {"members": 1, "iterations": 1500}
METHODS = ("deep_image_prior", "coggen_dip", "inr", "coggen_inr")
PAIRS = (("deep_image_prior", "coggen_dip", 2.0, 0.5), ("inr", "coggen_inr", 5.0, 2.5))
NOISY, CLEAN = 0.08, 0.01


def middle(seed: int, *, noise: float, size: int) -> tuple[KSpace, Tensor, Tensor]:
    """K-space (coil, 1, k1, k0) of the brain, maps and image, whose brightest point is 1."""
    full, _, _ = brain(Path(os.environ["DEEPGADGETS_DATA"]), 3)
    inside = slice((128 - size) // 2, (128 + size) // 2)
    data = full.data[..., inside, inside]
    channels = torch.from_numpy(compression_matrix(data.flatten(1).numpy(), coils=4))
    data = torch.einsum("vc,c...->v...", channels, data)
    centre = ((torch.arange(size) - size // 2 + 0.5).abs() < 12)[:, None].expand(1, 1, size, size)
    csm = sensitivities(KSpace(data=torch.where(centre, data, 0), mask=centre))
    image = (csm.conj() * ifft(data, (-3, -2, -1))).sum(dim=0, keepdim=True)
    unit = image.abs().max()
    white = torch.view_as_complex(torch.randn(*data.shape, 2, generator=torch.Generator().manual_seed(seed)))
    mask = lines(seed, size=size)
    return KSpace(data=(data / unit + noise / 2**0.5 * white) * mask, mask=mask), csm, image / unit


SCANS = {"heads": scan, "brain": middle}


@contextmanager
def made(members: int) -> Iterator[deque[torch.Tensor]]:
    """The images that as many generators made last."""
    last: deque[torch.Tensor] = deque(maxlen=members)

    def note(module: nn.Module, _: object, output: torch.Tensor) -> None:
        if isinstance(module, Field | UntrainedUnet):
            last.append(output.detach())

    handle = nn.modules.module.register_module_forward_hook(note)
    try:
        yield last
    finally:
        handle.remove()


def measure(on: str, name: str, seed: int, noise: float, size: int, **settings: object) -> dict:
    """PSNR at each look, of the last iterate, and of the image that is returned."""
    kspace, csm, truth = SCANS[on](seed, noise=noise, size=size)
    looks, images, found = [], [], []
    method = create(name, {"seed": seed, **settings})

    def noted(*settings: object, **named: object) -> Fit:
        found.append(fit(*settings, **named))
        return found[0]

    with (
        made(method.members) as last,
        listening(lambda done, *_: (looks.append(done), images.append(torch.stack([*last]).mean(dim=0)))),
        patch.object(generator, "fit", noted),
    ):
        start = time.process_time()
        image = method(kspace, csm)
        seconds = time.process_time() - start
    # The image is the mean of some of those, times the number that the samples were divided by, within the maps.
    images = [one * (csm != 0).any(dim=0) for one in images]
    mean = torch.stack([images[looks.index(done)] for done in found[0].states]).mean(dim=0)
    unit = (mean.conj() * image).sum().real / mean.abs().square().sum()
    assert (unit * mean - image).norm() < 1e-3 * image.norm()
    path = [psnr((unit * one).abs().numpy(), truth.abs().numpy()) for one in images]
    kept = psnr(image.abs().numpy(), truth.abs().numpy())
    return {"looks": looks, "path": path, "at": found[0].kept, "kept": kept, "seconds": seconds}


def figures(runs: dict, name: str, noise: float) -> dict[str, np.ndarray]:
    """For each seed: final, peak and kept, in dB."""
    found = [run for (method, _, level), run in runs.items() if method == name and level == noise]
    return {
        "final": np.array([run["path"][-1] for run in found]),
        "peak": np.array([max(run["path"]) for run in found]),
        "kept": np.array([run["kept"] for run in found]),
        "seconds": np.array([run["seconds"] for run in found]),
    }


def accept(runs: dict, names: Sequence[str], levels: Sequence[float]) -> Iterator[tuple[str, np.ndarray, str, bool]]:
    """(claim, its figure for each seed, what is asked of their median, whether it holds); of curricula, for all."""
    for plain, cogged, gain, drop in PAIRS if set(names) == set(METHODS) else ():
        for noise in levels:
            before, after = (figures(runs, name, noise) for name in (plain, cogged))
            found, least = after["final"] - before["final"], gain if noise == NOISY else -1
            yield f"`{cogged}` over `{plain}`, last, noise {noise}", found, f">= {least}", np.median(found) >= least
            found = after["peak"] - after["final"]
            yield f"`{cogged}`, peak less last, noise {noise}", found, f"<= {drop}", np.median(found) <= drop
    for name in names:
        for noise in levels:
            found = figures(runs, name, noise)["peak"] - figures(runs, name, noise)["kept"]
            yield f"`{name}`, peak less kept, noise {noise}", found, "<= 0.3", np.median(found) <= 0.3


def table(runs: dict, names: Sequence[str], levels: Sequence[float]) -> str:
    """Figures of methods, with what they are held against."""
    lines = [
        "| method | noise | final | peak | kept | kept, mean and spread | seconds |",
        "|---|---|---|---|---|---|---|",
    ]
    for noise in levels:
        for name in names:
            one = figures(runs, name, noise)
            cells = [" / ".join(f"{value:.1f}" for value in one[key]) for key in ("final", "peak", "kept")]
            cells += [f"{one['kept'].mean():.1f}, {one['kept'].std():.1f}", f"{np.median(one['seconds']):.0f}"]
            lines.append(f"| `{name}` | {noise} | {' | '.join(cells)} |")
    lines += ["", "| dB | each seed | median | accepted | |", "|---|---|---|---|---|"]
    for claim, found, asked, holds in accept(runs, names, levels):
        each = " / ".join(f"{value:+.2f}" for value in found)
        lines.append(f"| {claim} | {each} | {np.median(found):+.2f} | {asked} | {'yes' if holds else '**no**'} |")
    return "\n".join(lines)


def draw(runs: dict, name: str, file: Path) -> None:
    """PSNR against iterations, and of the image that was returned, where the best iterate by held-out samples is."""
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(4.5, 3), layout="constrained")
    for noise, colour in ((NOISY, "tab:red"), (CLEAN, "tab:blue")):
        for (method, _, level), run in runs.items():
            if method == name and level == noise:
                label = None if f"noise {noise}" in axes.get_legend_handles_labels()[1] else f"noise {noise}"
                axes.plot(run["looks"], run["path"], color=colour, linewidth=1, label=label)
                axes.plot(run["at"], run["kept"], "o", color=colour, markersize=4)
    axes.set(xlabel="iterations", ylabel="PSNR in dB (dot: kept)", title=name)
    axes.legend()
    figure.savefig(file, dpi=90)
    plt.close(figure)


def main() -> None:
    """Measure what is not in the file of an earlier run, print, and draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--on", nargs="+", choices=SCANS, default=tuple(SCANS))
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--alone", action="store_true", help="one network of 1500 iterations")
    parser.add_argument("--iterations", type=int, help="of each network")
    parser.add_argument("--seeds", type=int, nargs="+", default=(1, 2, 3))
    parser.add_argument("--noise", type=float, nargs="+", default=(NOISY, CLEAN))
    parser.add_argument("--methods", nargs="+", default=METHODS, help="which to measure now")
    parser.add_argument("--hard", action="store_true", help="curricula select samples, and do not weight them")
    parser.add_argument("--record", type=Path, help="folder of JSON files: what is there is not measured again")
    parser.add_argument("--out", type=Path, help="folder of pictures")
    given = parser.parse_args()
    if given.hard and not set(given.methods) <= {cogged for _, cogged, *_ in PAIRS}:
        parser.error("--hard is for --methods that have a curriculum")
    settings = (ALONE if given.alone else {}) | ({"hard": True} if given.hard else {})
    settings |= {"iterations": given.iterations} if given.iterations else {}
    for folder in filter(None, (given.record, given.out)):
        folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    for on in given.on:
        runs = {}
        for seed, noise, name in product(given.seeds, given.noise, given.methods):
            stem = "_".join(str(part) for part in (on, name, seed, noise, given.size, *sum(settings.items(), ())))
            file = given.record and given.record / f"{stem}.json"
            if file and file.is_file():
                runs[name, seed, noise] = json.loads(file.read_text())
                continue
            runs[name, seed, noise] = measure(on, name, seed, noise, given.size, **settings)
            if file:
                file.write_text(json.dumps(runs[name, seed, noise]))
        print(f"\n{on}\n\n{table(runs, given.methods, given.noise)}", flush=True)
        for name in given.methods if given.out else ():
            draw(runs, name, given.out / f"fit_{name}{'' if on == 'heads' else '_' + on}.png")


if __name__ == "__main__":
    main()
