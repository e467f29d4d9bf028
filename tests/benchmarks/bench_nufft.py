"""How much the operator costs beside bare FINUFFT: forward and adjoint of one radial scan, alternated, in one process.

Run: python -m tests.benchmarks.bench_nufft [threads, default 2]
"""

from __future__ import annotations

import sys
import time

import finufft
import numpy as np
import torch

from gadgets.mri.operators.non_uniform_fourier import NonUniformFourierOp
from gadgets.mri.phantom.trajectories import radial

SIZE, COILS, SPOKES, SAMPLES, ROUNDS = 256, 8, 201, 512, 12


def main(threads: int) -> None:
    """Print milliseconds of the fastest round, and their quotient."""
    torch.set_num_threads(threads)
    places = radial(SPOKES, SAMPLES, SIZE).astype(np.float32)
    operator = NonUniformFourierOp(torch.from_numpy(places).movedim(-1, 0)[:, None], (1, SIZE, SIZE))
    image = torch.randn(COILS, 1, SIZE, SIZE, dtype=torch.complex64)
    points = [np.ascontiguousarray(2 * np.pi / SIZE * places[..., axis].ravel()) for axis in (1, 2)]
    plans = []
    for kind, sign in ((2, -1), (1, 1)):
        plans.append(finufft.Plan(kind, (SIZE, SIZE), COILS, 1e-6, sign, dtype="complex64", nthreads=threads))
        plans[-1].setpts(*points)
    bare = image[:, 0].numpy()
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        plans[1].execute(plans[0].execute(bare))
        middle = time.perf_counter()
        operator.H(operator(image))
        times.append((middle - start, time.perf_counter() - middle))
    library, ours = 1e3 * np.min(times, axis=0)
    print(f"{threads} threads: FINUFFT {library:.1f} ms, operator {ours:.1f} ms, {ours / library:.2f} times")
    gram = operator.gram
    start = time.perf_counter()
    gram(image)
    print(f"F^H F as a convolution: {1e3 * (time.perf_counter() - start):.1f} ms")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2)
