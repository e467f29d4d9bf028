"""cg_sense, espirit_l1 and total_variation against BART and SigPy: same k-space, same maps, same weights.

Run: DEEPGADGETS_DATA=FOLDER python -m tests.benchmarks.compare_methods
Prints a table: the objective of each image, as our method defines it, and the images' distance. What is missing (BART,
SigPy, the data) is said and left out; the phantom is always there.

Objectives are the same, up to what the table's heading cannot say:
- BART's `pics` divides k-space by an estimate of the image's scale before it applies a weight. `-w1` takes 1 instead,
  so that the weight is ours: `regularisation` times the intensity s of the first image.
- For an axis whose length is twice an odd number, BART's centred transform has the opposite sign; images are turned.
- Wavelets: all have the four taps of Daubechies, and soft thresholds of weight / ||A||^2. Ours are periodic and leave
  the lowest band alone. BART and SigPy threshold all bands, and extend images at the border. We and BART move the
  blocks at random in each iteration, which aims at the mean over all moves, and comes near it: the objective is
  evaluated for blocks that are not moved, as the mean over moves along the diagonal, and over all moves in the plane.
  SigPy does not move blocks.
- Total variation: BART's is isotropic as ours, but periodic. SigPy's is the sum of magnitudes along the axes.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from gadgets.mri.calibration.intensity import intensity
from gadgets.mri.kspace import KSpace
from gadgets.mri.methods.cg_sense import CgSense
from gadgets.mri.methods.espirit_l1 import EspiritL1
from gadgets.mri.methods.total_variation import TotalVariation
from gadgets.mri.operators.encoding import EncodingOp, encoding
from gadgets.mri.operators.finite_difference import FiniteDifferenceOp
from gadgets.mri.priors.joint_l1 import JointL1
from gadgets.mri.priors.wavelet_l1 import WaveletL1
from gadgets.mri.quality.errors import nrmse
from gadgets.mri.solvers.cg import cg
from tests.benchmarks import bart
from tests.support.brain import brain
from tests.support.sampled_phantom import phantom_scan, random_sampling

# Moves of the wavelets' blocks along y and x, over which the objective is averaged.
_LENGTH = range(2 ** EspiritL1().levels)
MOVES = {"not moved": [(0, 0)], "diagonal": [(n, n) for n in _LENGTH], "all": list(product(_LENGTH, _LENGTH))}

Objectives = dict[str, Callable[[Tensor], float]]


class Peers:
    """The other toolboxes on one scan. A method returns None where its toolbox is not installed."""

    def __init__(self, kspace: KSpace, csm: Tensor) -> None:
        self.kspace, self.csm = kspace, csm
        self.has_bart = bart.version() is not None
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                import sigpy.mri

            self.apps = sigpy.mri.app
        except ImportError:
            self.apps = None

    def bart(self, iterations: int, *options: str) -> Tensor | None:
        """The image of `bart pics`."""
        if not self.has_bart:
            return None
        inputs = (self.kspace.data.numpy(), self.csm.numpy())
        image, _ = bart.run("pics", "-w1", f"-i{iterations}", *options, inputs=inputs, threads=1)
        turned = sum(length % 4 == 2 for length in self.kspace.matrix) % 2
        return torch.from_numpy(image).reshape(1, *self.kspace.matrix) * (-1) ** turned

    def sigpy(self, app: str, weight: float, iterations: int, **options: str) -> Tensor | None:
        """The image of one of SigPy's apps, for a single slice."""
        if self.apps is None:
            return None
        y, maps = self.kspace.data[:, 0].numpy(), self.csm[:, 0].numpy()
        run = getattr(self.apps, app)(y, maps, lamda=weight, max_iter=iterations, show_pbar=False, **options).run
        return torch.from_numpy(np.asarray(run())).reshape(1, *self.kspace.matrix)


def problems(
    kspace: KSpace, csm: Tensor, peers: Peers
) -> Iterator[tuple[str, Objectives, Tensor, Tensor | None, Tensor | None]]:
    """Name, objectives, and the images of ours, BART and SigPy."""
    operator = encoding(kspace, csm)
    scale = float(intensity(cg(operator.gram, operator.H(kspace.data), iterations=5).x))

    for damping in (0.0, 0.01):
        yield (
            f"least squares, damping {damping:g}, 30 iterations",
            {"": lambda x, d=damping: misfit(operator, kspace, x) + d / 2 * float(x.abs().square().sum())},
            CgSense(iterations=30, tolerance=0, damping=damping)(kspace, csm),
            peers.bart(30, "-l2", f"-r{damping}"),
            peers.sigpy("SenseRecon", damping, 30),
        )

    l1 = EspiritL1()
    weight = l1.regularisation * scale
    for iterations in (l1.iterations, 100):
        yield (
            f"L1 of wavelets, {iterations} iterations",
            {
                name: lambda x, moves=moves: (
                    misfit(operator, kspace, x) + float(np.mean([wavelets(x, l1, weight, move) for move in moves]))
                )
                for name, moves in MOVES.items()
            },
            EspiritL1(iterations=iterations)(kspace, csm),
            peers.bart(iterations, f"-RW:7:0:{weight:.8g}"),
            peers.sigpy("L1WaveletRecon", weight, iterations, wave_name="db2"),
        )

    tv = TotalVariation()
    weight_tv = tv.regularisation * scale
    differences, length = FiniteDifferenceOp((-2, -1)), JointL1(axes=(0,), weight=weight_tv)
    for iterations in (tv.iterations, 400):
        yield (
            f"total variation, {iterations} iterations",
            {"": lambda x: misfit(operator, kspace, x) + float(length.value(differences(x)))},
            TotalVariation(iterations=iterations)(kspace, csm),
            peers.bart(iterations, f"-RT:3:0:{weight_tv:.8g}"),
            peers.sigpy("TotalVariationRecon", weight_tv, iterations),
        )


def misfit(operator: EncodingOp, kspace: KSpace, x: Tensor) -> float:
    """||P F S x - y||^2 / 2."""
    return float((operator(x) - kspace.data).abs().square().sum()) / 2


def wavelets(x: Tensor, method: EspiritL1, weight: float, move: tuple[int, int]) -> float:
    """The cost of the wavelet coefficients, with blocks moved along y and x."""
    prior = WaveletL1(weight=weight, levels=method.levels, wavelet=method.wavelet, shift=(0, *move))
    return float(prior.value(x))


def scans() -> Iterator[tuple[str, KSpace, Tensor]]:
    """Name, k-space and maps."""
    kspace, csm, _ = phantom_scan(128, random_sampling(128, 5, centre=24))
    yield "phantom, points, R = 5", kspace, csm
    folder = os.environ.get("DEEPGADGETS_DATA")
    if not folder:
        print("no scanner data: DEEPGADGETS_DATA is not set\n")
        return
    for acceleration in (2, 3):
        _, imaging, reference = brain(Path(folder), acceleration)
        yield f"brain, lines, R = {acceleration}", imaging, CgSense().calibrate(reference)
    data = torch.from_numpy(np.load(Path(folder, "kspace", "brain_8ch_poisson_R8.npy")))[:, None]
    kspace = KSpace.from_data(data)
    yield "brain, Poisson disc, R = 8", kspace, CgSense().calibrate(kspace)


def against(objectives: Objectives, ours: Tensor, theirs: Tensor | None) -> str:
    """How much higher their objective is than ours, and how far the images are apart."""
    if theirs is None:
        return "not installed | -"
    excess = ", ".join(f"{value(theirs) / value(ours) - 1:+.2%} {name}".strip() for name, value in objectives.items())
    return f"{excess} | {nrmse(theirs.numpy(), ours.numpy()):.1e}"


def main() -> None:
    print(f"BART {bart.version()}. Objectives: how much higher than ours.\n")
    print("| data | problem | BART: objective | image | SigPy: objective | image |\n|---|---|---|---|---|---|")
    for scan, kspace, csm in scans():
        for name, objectives, ours, *theirs in problems(kspace, csm, Peers(kspace, csm)):
            print(f"| {scan} | {name} | {' | '.join(against(objectives, ours, x) for x in theirs)} |", flush=True)


if __name__ == "__main__":
    main()
