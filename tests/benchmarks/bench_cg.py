"""CG-SENSE of 30 iterations against BART's `pics` and SigPy's `SenseRecon`, on the same k-space and maps, in turns.

Run: python -m tests.benchmarks.bench_cg [runs, default 7] [threads, default 2]
32 coils, 256 x 256, every third line or random points of as many. Ours is the whole method, with its checks
and its first image. BART runs as a process: what it takes with no iteration (start, files, first image) is told apart.
Processor time is printed too: with one thread, other work on the computer changes it little.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from gadgets.mri.fft import fft
from gadgets.mri.kspace import KSpace
from gadgets.mri.methods.cg_sense import CgSense
from gadgets.mri.phantom.scan import coil_maps, truth
from gadgets.mri.quality.errors import nrmse
from tests.benchmarks import bart

COILS, SIZE, ITERATIONS = 32, 256, 30


def scan(pattern: str) -> tuple[KSpace, torch.Tensor]:
    """K-space of the phantom with noise of a hundredth, and the true maps."""
    maps = torch.from_numpy(coil_maps((SIZE, SIZE, 1), coils=COILS))
    csm = maps / maps.norm(dim=0)
    generator = torch.Generator().manual_seed(0)
    data = fft(csm * torch.from_numpy(truth((SIZE, SIZE, 1))), (-3, -2, -1))
    data = data + 0.01 * torch.randn(data.shape, dtype=data.dtype, generator=generator)
    if pattern == "lines":
        mask = (torch.arange(SIZE) % 3 == 0)[None, None, :, None].repeat(1, 1, 1, SIZE)
    else:
        mask = torch.rand(1, 1, SIZE, SIZE, generator=generator) < 1 / 3
    return KSpace(data=data * mask, mask=mask), csm


def peers(kspace: KSpace, csm: torch.Tensor, folder: Path, threads: int) -> dict[str, Callable[[], object]]:
    """What can be run here, by name. Says what is missing."""
    ours = CgSense(iterations=ITERATIONS, tolerance=0, damping=0)
    found: dict[str, Callable[[], object]] = {"ours": lambda: ours(kspace, csm)}
    if bart.version() is None:
        print("no comparison with BART: there is no program `bart`")
    else:
        names = [str(folder / name) for name in ("kspace", "csm")]
        for name, array in zip(names, (kspace.data, csm), strict=True):
            bart.write(Path(name), array.numpy())
        for label, n in (("BART", ITERATIONS), ("BART, no iteration", 0)):
            command = ("pics", f"-i{n}", "-w1", *names, str(folder / f"image{n}"))
            found[label] = lambda command=command: bart.call(*command, threads=threads)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import sigpy.mri
    except ImportError as error:
        print(f"no comparison with SigPy: {error}")
    else:
        y, maps = kspace.data[:, 0].numpy(), csm[:, 0].numpy()
        found["SigPy"] = lambda: sigpy.mri.app.SenseRecon(y, maps, max_iter=ITERATIONS, show_pbar=False).run()
    return found


def processor() -> float:
    """Seconds of processor time of this process and of those that it waited for."""
    return sum(os.times()[:4])


def main(runs: int = 7, threads: int = 2) -> None:
    torch.set_num_threads(threads)
    for pattern in ("lines", "points"):
        kspace, csm = scan(pattern)
        with tempfile.TemporaryDirectory() as folder:
            work = peers(kspace, csm, Path(folder), threads)
            seconds: dict[str, list[float]] = {name: [] for name in work}
            spent: dict[str, list[float]] = {name: [] for name in work}
            images = {name: one() for name, one in work.items()}
            for _ in range(runs):
                for name, one in work.items():
                    began, used = time.perf_counter(), processor()
                    one()
                    seconds[name].append(time.perf_counter() - began)
                    spent[name].append(processor() - used)
            if "BART" in work:
                images["BART"] = bart.read(Path(folder, f"image{ITERATIONS}"))
        median = {name: statistics.median(values) for name, values in seconds.items()}
        print(pattern, "processor time:", {name: round(statistics.median(v), 2) for name, v in spent.items()})
        ours = np.asarray(images["ours"]).squeeze()
        print(f"{pattern}: ours {median['ours']:.3f} s (best {min(seconds['ours']):.3f})")
        if "BART" in work:
            empty = median["BART, no iteration"]
            print(
                f"  BART {median['BART']:.3f} s (best {min(seconds['BART']):.3f}), of which {empty:.3f} s without any "
                f"iteration; ratio {median['BART'] / median['ours']:.2f}, of its iterations alone to all of ours "
                f"{(median['BART'] - empty) / median['ours']:.2f}; images differ by {nrmse(ours, images['BART']):.1e}"
            )
        if "SigPy" in work:
            print(
                f"  SigPy {median['SigPy']:.3f} s, ratio {median['SigPy'] / median['ours']:.2f}; "
                f"images differ by {nrmse(ours, np.asarray(images['SigPy'])):.1e}"
            )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
