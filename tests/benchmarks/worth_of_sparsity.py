"""What few edges can be worth on the random lines of docs/claims_k_unn.md: its table "What sparsity can be worth".

Run: DEEPGADGETS_DATA=FOLDER python -m tests.benchmarks.worth_of_sparsity
Everything but sparsity is given: maps of coils are made of all of k-space, and least squares, wavelets and total
variation have that of a few settings each which is best against the truth. No scan gives that; what sparsity gains here
is about what it can gain. PSNR of magnitudes over all of the image.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from torch import Tensor

from gadgets.mri.calibration.walsh import walsh
from gadgets.mri.fft import ifft
from gadgets.mri.methods import Method
from gadgets.mri.methods.cg_sense import CgSense
from gadgets.mri.methods.espirit_l1 import EspiritL1
from gadgets.mri.methods.total_variation import TotalVariation
from tests.benchmarks.k_unn_scans import GRADIENT_ECHOES, RANDOM, gradient_echo, sampled, simulated
from tests.support.heads import decibels

SEEDS = range(3)
METHODS: dict[str, Sequence[Method]] = {
    "least squares": [CgSense(iterations=iterations) for iterations in (5, 10, 20, 40, 80)],
    "wavelets": [EspiritL1(regularisation=weight, iterations=150) for weight in (0.001, 0.002, 0.005, 0.01, 0.02)],
    "total variation": [
        TotalVariation(regularisation=weight, iterations=400) for weight in (0.0005, 0.001, 0.002, 0.005, 0.01)
    ],
}


def scan(what: str, seed: int, folder: Path) -> tuple[Tensor, Tensor]:
    """All of k-space (coil, 1, k1, k0), and the magnitude that is the truth."""
    if what in GRADIENT_ECHOES:
        return gradient_echo(folder, what, 64)
    return simulated(64, seed, folder if what == "patients" else None)


def best(what: str, seed: int, folder: Path) -> dict[str, float]:
    """The PSNR of each method on one scan."""
    data, truth = scan(what, seed, folder)
    csm, _ = walsh(ifft(data, (-2, -1)))
    kspace = sampled(RANDOM, data, seed)
    return {name: max(decibels(one(kspace, csm), truth) for one in some) for name, some in METHODS.items()}


def main(folder: Path) -> None:
    print(f"| scans | {' | '.join(METHODS)} | what the better one gains |\n|{'---|' * (len(METHODS) + 2)}")
    for what in ("heads", "patients", *GRADIENT_ECHOES):
        rows = [best(what, seed, folder) for seed in SEEDS]
        cells = [", ".join(f"{row[name]:.1f}" for row in rows) for name in METHODS]
        gains = [max(row["wavelets"], row["total variation"]) - row["least squares"] for row in rows]
        mean = sum(gains) / len(gains)
        print(
            f"| {what} | {' | '.join(cells)} | {', '.join(f'{gain:+.1f}' for gain in gains)}, {mean:+.1f} on average |"
        )


if __name__ == "__main__":
    if "DEEPGADGETS_DATA" not in os.environ:
        sys.exit("DEEPGADGETS_DATA is not set: the patients, the brain and the phantom are of scanner data")
    main(Path(os.environ["DEEPGADGETS_DATA"]))
