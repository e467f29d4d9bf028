"""What the papers of two learned methods claim, after trainings of a few minutes: docs/claims.md.

Run: python -m tests.benchmarks.claims_learned [equilibrated] [regularization]
Trains on scans simulated from random anatomy, on one core; prints a table of claims, with what was measured and whether
it holds. Losses, rates and numbers of steps are below. The scans to measure with are others than those to train with.
"""

from __future__ import annotations

import logging
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from gadgets.mri.kspace import KSpace
from gadgets.mri.methods.cg_sense import CgSense
from gadgets.mri.methods.equilibrated_zeroth_order import EquilibratedZerothOrderNetwork
from gadgets.mri.methods.iterative_regularization import IterativeRegularizationNetwork
from gadgets.mri.networks.residual_cnn import ResidualCnn
from gadgets.mri.operators.encoding import encoding
from gadgets.mri.solvers.unrolled import gradient_step, unrolled
from gadgets.mri.training.adversarial import Adversarial
from gadgets.mri.training.dataset import Generated, Simulated
from gadgets.mri.training.simulation import Example, Simulation
from gadgets.mri.training.supervised import Supervised, psnr
from tests.support.training import fitted

# Of each 4 lines one, 8 more in the centre, as many coils as leave least squares with noise and no gaps.
SCANS = Simulation(
    matrix=(40, 40),
    coils=(6, 6),
    acceleration=(4, 4),
    centre=(8, 8),
    noise=(0.01, 0.01),
    patterns=("uniform",),
    estimated=0,
)


class Unrolled(nn.Module):
    """The control: a network in gradient descent, `iterations` times, trained as far as that and no further."""

    def __init__(self, *, width: int = 16, layers: int = 5, iterations: int = 8) -> None:
        super().__init__()
        self.network = ResidualCnn(width=width, layers=layers)
        self.step = nn.Parameter(torch.ones(()))
        self.iterations = iterations

    def forward(self, kspace: KSpace, csm: Tensor, *, iterations: int | None = None) -> Tensor:
        """The image."""
        operator = encoding(kspace, csm)
        rhs = operator.H(kspace.data)
        networks = [self.network] * (self.iterations if iterations is None else iterations)
        return unrolled(networks, lambda x, z, k: gradient_step(operator.gram, rhs, x, z, self.step), rhs)


def scans(seed: int, *, batches: int, batch: int) -> list[Example]:
    """Batches of scans; those of another seed are of other anatomy."""
    made = Simulated(Generated(200, seed, size=80), SCANS, batches=batches, batch=batch, seed=seed)
    return [made[index] for index in range(batches)]


def minutes_of(module: Supervised, examples: Sequence[Example], epochs: int) -> float:
    """Train; minutes of processor time."""
    began = time.process_time()
    fitted(module, examples, epochs)
    return (time.process_time() - began) / 60


def noise(like: Example, deviation: float, seed: int = 0) -> Tensor:
    """Complex noise at the samples that were taken, relative to the brightest point of each image."""
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randn(like.kspace.data.shape, dtype=like.kspace.data.dtype, generator=generator)
    return deviation * like.image.abs().amax(dim=(-4, -3, -2, -1), keepdim=True) * drawn * like.kspace.mask


def decibels(image: Tensor, example: Example) -> float:
    """PSNR of an image."""
    return float(psnr(image, example.image))


def row(claim: str, measured: str, holds: bool) -> None:
    """A line of the table."""
    print(f"| {claim} | {measured} | {'yes' if holds else '**no**'} |", flush=True)


def head(title: str, minutes: float, examples: Example) -> None:
    """What stands above a table."""
    zero_filled = encoding(examples.kspace, examples.csm).H(examples.kspace.data)
    least = CgSense()(examples.kspace, examples.csm)
    print(f"\n{title}: trained for {minutes:.1f} min of one core.")
    print(f"Zero-filled {decibels(zero_filled, examples):.2f} dB, `cg_sense` {decibels(least, examples):.2f} dB.\n")
    print("| claim | measured | holds |\n|---|---|---|", flush=True)


def equilibrated(train: Sequence[Example], test: Example, epochs: int) -> None:
    """A fixed point that is one, and holds; beside it a network that was unrolled."""
    torch.manual_seed(0)
    network = EquilibratedZerothOrderNetwork(width=16)
    steps = epochs * len(train)
    losses = {"psnr": 1, "noise_gain": 3}
    minutes = minutes_of(Supervised(network, losses=losses, rate=5e-3, steps=steps), train, epochs)
    torch.manual_seed(0)
    control = Unrolled()
    fitted(Supervised(control, losses={"psnr": 1}, rate=2e-3, steps=steps), train, epochs)
    head("`equilibrated_zeroth_order`", minutes, test)
    with torch.no_grad():
        middle, end = (network.minimum(test.kspace, test.csm, iterations=k, tolerance=0) for k in (200, 500))
        for k, found, limit in ((200, middle, 1e-4), (500, end, 1e-5)):
            change = float(found.change.max())
            row(f"relative change at iteration {k} below {limit:.0e}", f"{change:.1e}", change < limit)
        a, b = decibels(middle.x, test), decibels(end.x, test)
        row("PSNR at iterations 200 and 500 within 0.3 dB", f"{a:.2f}, {b:.2f} dB", abs(a - b) <= 0.3)
        least = decibels(CgSense()(test.kspace, test.csm), test)
        row("PSNR above that of `cg_sense`", f"{a - least:+.2f} dB", a > least)
        for deviation in (0.001, 0.01, 0.03):
            e = noise(test, deviation)
            noisy = replace(test.kspace, data=test.kspace.data + e)
            moved = network.minimum(noisy, test.csm, iterations=200, tolerance=0).x
            gain = float((moved - middle.x).norm() / e.norm())
            other = float((CgSense()(noisy, test.csm) - CgSense()(test.kspace, test.csm)).norm() / e.norm())
            claim = f"noise of {deviation}: the image moves at most as far as the data"
            row(claim, f"{gain:.2f}; `cg_sense` {other:.2f}", gain <= 1)
        a, b = (decibels(control(test.kspace, test.csm, iterations=k), test) for k in (8, 50))
        row("the control, unrolled 8 times, loses 5 dB or more in 50", f"{a:.2f}, {b:.2f} dB", a - b >= 5)


def violation(psi: Callable[[Tensor], Tensor], size: int) -> float:
    """The largest excess of psi at the middle of a pair over the mean of the pair, relative; of 500 random pairs."""
    generator = torch.Generator().manual_seed(0)
    x, y = (torch.randn(500, 1, 1, size, size, dtype=torch.complex64, generator=generator) for _ in range(2))
    chord = (psi(x) + psi(y)) / 2
    return float(((psi((x + y) / 2) - chord) / chord.abs()).max())


def regularization(train: Sequence[Example], test: Example, epochs: int) -> None:
    """A convex penalty: one minimum, that is nearer to the truth the less noise there is."""
    torch.manual_seed(0)
    network = IterativeRegularizationNetwork(width=16, layers=2)
    with torch.no_grad():
        before = violation(network.psi, 16)
    module = Adversarial(network, losses={"psnr": 1}, rate=3e-3, steps=epochs * len(train))
    minutes = minutes_of(module, train, epochs)
    head("`iterative_regularization`", minutes, test)
    with torch.no_grad():
        after = violation(network.psi, 16)
        row(
            "convex: largest violation of 500 pairs at most 1e-6",
            f"{before:.1e}, {after:.1e}",
            max(before, after) <= 1e-6,
        )
        fake, real = module.seen(test)
        difference = float((network.psi(fake) - network.psi(real)).min())
        row("psi is higher on least squares than on the truth, each scan", f"{difference:.3f} at least", difference > 0)
        found = network.minimum(test.kspace, test.csm, iterations=200)
        least = {k: decibels(CgSense(iterations=k)(test.kspace, test.csm), test) for k in (5, 10, 20, 40)}
        gain = decibels(found.x, test) - least[20]
        text = ", ".join(f"{value:.2f} after {k}" for k, value in least.items())
        row("PSNR 1 dB above least squares", f"{decibels(found.x, test):.2f} dB; `cg_sense` {text}", gain >= 1)
        other = network.minimum(test.kspace, test.csm, iterations=200, start=torch.zeros_like(found.x)).x
        apart = float((other - found.x).norm() / found.x.norm())
        row("from 0 and from zero-filled to the same point, 1e-2", f"{apart:.1e}", apart <= 1e-2)
        clean = encoding(test.kspace, test.csm)(test.image)
        errors = []
        for deviation in (0.05, 0.02, 0.01, 0.005):
            noisy = replace(test.kspace, data=clean + noise(test, deviation))
            image = network.minimum(noisy, test.csm, iterations=200).x
            errors.append(float((image - test.image).norm() / test.image.norm()))
        falls = all(b <= a for a, b in zip(errors, errors[1:], strict=False))
        row("error falls with the noise .05, .02, .01, .005", ", ".join(f"{e:.3f}" for e in errors), falls)
        # In double precision: near the minimum, values in single precision are flat.
        network.double()
        one = KSpace(data=test.kspace.data[:1].to(torch.complex128), mask=test.kspace.mask[:1])
        values = network.minimum(one, test.csm[:1].to(torch.complex128), iterations=200, watched=True).objective
        assert values is not None
        rise = float(values.diff().max() / values.abs().max())
        row("the objective never rises", f"{rise:.1e} at most, relative", rise <= 1e-12)
        print(f"\nThe weight is {float(nn.functional.softplus(network.weight)):.3f}.")


def main(*parts: str) -> None:
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    test = scans(1, batches=1, batch=8)[0]
    if "equilibrated" in parts:
        equilibrated(scans(0, batches=60, batch=1), test, epochs=5)
    if "regularization" in parts:
        regularization(scans(0, batches=60, batch=4), test, epochs=2)


if __name__ == "__main__":
    main(*(sys.argv[1:] or ("equilibrated", "regularization")))
