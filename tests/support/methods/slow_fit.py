"""A method that fits next to nothing, and takes its time for it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from gadgets.mri.calibration.sensitivities import sensitivities
from gadgets.mri.operators.encoding import encoding
from gadgets.mri.solvers.fit import fit
from gadgets.mri.solvers.progress import remark


class Factor(nn.Module):
    """What an image is to be multiplied by."""

    def __init__(self):
        super().__init__()
        self.value = nn.Parameter(torch.zeros(()))


@dataclass(frozen=True, kw_only=True)
class SlowFit:
    """x = f A^H y with min_f (f - 1)^2, from f = 0: close to 1 after 40 iterations.

    seconds: that an iteration takes. until: a file that the fit waits for, at its last iteration. fails: whether it
    fails there. finds: what it remarks each time.
    """

    iterations: int = 40
    warm_iterations: int = 5
    seconds: float = 0.0
    until: str = ""
    fails: bool = False
    finds: str = ""

    def calibrate(self, reference):
        return sensitivities(reference)

    def __call__(self, kspace, calibration):
        return self.fitted(kspace, calibration)[0]

    def fitted(self, kspace, calibration, *, start=None):
        factor = Factor()
        iterations = self.iterations if start is None else self.warm_iterations
        if start is not None:
            factor.load_state_dict(start)

        def loss(iteration):
            time.sleep(self.seconds)
            if iteration == iterations - 1:
                self._wait()
            return (factor.value - 1) ** 2

        if self.finds:
            remark(self.finds)
        found = fit(factor, loss, iterations=iterations, rate=0.1, every=1)
        return factor.value.detach() * encoding(kspace, calibration).H(kspace.data), found.state

    def _wait(self):
        patience = time.monotonic() + 60
        while self.until and not Path(self.until).exists():
            assert time.monotonic() < patience, "nobody lets it end"
            time.sleep(0.01)
        if self.fails:
            raise ArithmeticError("broken at the last iteration")
