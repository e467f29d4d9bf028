"""What a fit gains from that of the slice before: the table of docs/claims_warm_start.md.

Run: DEEPGADGETS_DATA=FOLDER python -m tests.benchmarks.bench_warm_start [SIZE, default 64]
Two neighbouring slices of a measured head (magnitudes), with the same smooth phase, 4 coils, lines and noise of a
hundredth of the brightest point. Each method fits the first slice, and the second one twice: from random numbers, and
from the state of the first. Default settings; processor seconds of one core; PSNR of magnitudes.
"""

from __future__ import annotations

import os
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gadgets.inputs.images import Files
from gadgets.mri import methods
from gadgets.mri.fft import fft
from gadgets.mri.kspace import KSpace
from gadgets.mri.training.augmentation import band_limited
from gadgets.mri.training.phase import smooth_phase
from tests.support.heads import decibels, scan

VOLUME = "images/studyforrest_T1w_volume.npz"
HEAD = """# What a fit gains from that of the slice before

`DEEPGADGETS_DATA=... python -m tests.benchmarks.bench_warm_start{size}`: two neighbouring slices of a measured head
at 3 T (magnitudes, to which a smooth phase was added), {matrix} x {matrix} points, 4 coils, a fourth of the lines,
noise of a hundredth of the brightest point. Default settings; seconds of one core.

| method | second slice, from random numbers | from the fit of the first | times as fast |
|---|---|---|---|"""


def slices(folder: Path, size: int) -> list[Tensor]:
    """Two images (1, 1, y, x) from the middle of the volume."""
    files = Files([folder / VOLUME])
    phase = smooth_phase((size, size), np.random.default_rng(0))
    found = []
    for index in (len(files) // 2, len(files) // 2 + 1):
        image = np.asarray(files[index], np.float64)
        side = max(image.shape)
        before = [(side - length) // 2 for length in image.shape]
        square = np.pad(image, [(b, side - n - b) for b, n in zip(before, image.shape, strict=True)])
        seen = band_limited(square / square.max(), (size, size)) * phase
        found.append(torch.from_numpy(seen.astype(np.complex64))[None, None])
    return found


def fit(method: Any, kspace: KSpace, calibration: Tensor | None, start: Any = None) -> tuple[Tensor, Any, float]:
    """Image, state and processor seconds."""
    began = time.process_time()
    image, state = method.fitted(kspace, calibration, start=start)
    return image, state, time.process_time() - began


def main(size: int = 64) -> None:
    torch.set_num_threads(1)
    like, csm, _ = scan(0, noise=0.01, size=size)
    images = slices(Path(os.environ["DEEPGADGETS_DATA"]), size)
    scans = []
    for seed, image in enumerate(images):
        noise = 0.01 / 2**0.5 * torch.randn(*csm.shape, 2, generator=torch.Generator().manual_seed(seed))
        scans.append(replace(like, data=(fft(csm * image, (-3, -2, -1)) + torch.view_as_complex(noise)) * like.mask))
    print(HEAD.format(size="" if size == 64 else f" {size}", matrix=size), flush=True)
    for name in methods.names():
        if not hasattr(methods.find(name), "fitted"):
            continue
        method: Any = methods.create(name)
        calibration = None if method.calibrate(scans[0]) is None else csm
        _, state, _ = fit(method, scans[0], calibration)
        cold, _, slow = fit(method, scans[1], calibration)
        warm, _, fast = fit(method, scans[1], calibration, state)
        texts = [f"{decibels(image, images[1]):.1f} dB, {took:.1f} s" for image, took in ((cold, slow), (warm, fast))]
        print(f"| `{name}` | {' | '.join(texts)} | {slow / fast:.1f} |", flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
