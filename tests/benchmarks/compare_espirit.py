"""ESPIRiT against BART's `ecalib` and SigPy's `EspiritCalib`: the same maps, and how long they take, in turns.

Run: DEEPGADGETS_DATA=FOLDER python -m tests.benchmarks.compare_espirit [runs, default 3] [threads, default 2] [volume]
With `volume`, the speed in three dimensions is measured instead, once: 32 coils on 160 x 160 x 64 and, for SigPy, which
would need 26 GB for it, on a slab of 8 of its planes. Peers are stopped where they have taken 12 times as long as ours.

All have the same calibration region (24 points per axis), kernel (6) and threshold, and keep all points. The threshold
is on singular values, as ours and SigPy's (0.02); BART's is on their squares, so that its -t is the square of ours. Its
default of -t 0.001 is a threshold of 0.032. Maps are compared over the head, after the phase of each point: the root
mean square of |a - b|, and the 99th percentile. Where the truth is known, so is the distance of each to it; for the
brain of 16 channels it is the ratio to the body coil, which has noise of its own.
"""

from __future__ import annotations

import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gadgets.mri.calibration.espirit import espirit
from gadgets.mri.fft import ifft
from gadgets.mri.phantom.scan import cartesian, coil_maps, truth
from gadgets.mri.quality.support import support
from tests.benchmarks import bart

THRESHOLD, WIDTH, KERNEL = 0.02, 24, 6
AXES = (-3, -2, -1)
# Gigabytes of the peers' matrices above which they are not run: SigPy holds two copies of them.
MEMORY = 8
# Where peers are stopped, as a multiple of our time, in a measurement of one turn.
PATIENCE = 12

Maps = NDArray[np.complex64]


def ours(data: Tensor, threshold: float = THRESHOLD) -> Maps:
    """Maps of all points."""
    return espirit(centre(data), tuple(data.shape[1:]), kernel=KERNEL, threshold=threshold)[0].numpy()


def centre(data: Tensor) -> Tensor:
    """The calibration region of k-space (coil, k2, k1, k0)."""
    for axis in (1, 2, 3):
        length = min(WIDTH, data.shape[axis])
        data = data.narrow(axis, data.shape[axis] // 2 - length // 2, length)
    return data.contiguous()


def ecalib(threshold: float = THRESHOLD) -> list[str]:
    """BART's command. Axes of length 1 have a kernel of 1 by themselves."""
    return ["ecalib", "-m1", "-c0", f"-r{WIDTH}", f"-k{KERNEL}", f"-t{threshold**2:.8g}"]


def sigpy_calibration() -> Any | None:
    """SigPy's class; None where it is not installed."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import sigpy.mri
    except ImportError:
        return None
    return sigpy.mri.app.EspiritCalib


def sigpy_maps(calibration: Any, data: Tensor) -> Maps:
    """Maps of all points; its planes have no third axis."""
    plane = data.numpy().squeeze(1) if data.shape[1] == 1 else data.numpy()
    app = calibration(plane, calib_width=WIDTH, thresh=THRESHOLD, kernel_width=KERNEL, crop=0, show_pbar=False)
    return app.run().reshape(data.shape)


def limited(work: Callable[[], object], limit: float) -> None:
    """`work` in a process of its own, stopped after `limit` seconds: subprocess.TimeoutExpired."""
    process = multiprocessing.get_context("fork").Process(target=work)
    process.start()
    process.join(limit)
    if process.is_alive():
        process.kill()
        process.join()
        raise subprocess.TimeoutExpired("SigPy", limit)
    if process.exitcode:
        raise RuntimeError(f"SigPy ended with status {process.exitcode}")


def distance(a: Maps, b: Maps, where: NDArray[np.bool_]) -> tuple[float, float]:
    """Root mean square and 99th percentile of |a - b| over points, both of unit length and of the same phase."""
    a, b = (x[:, where].astype(np.complex128) for x in (a, b))
    cosine = np.abs((a.conj() * b).sum(axis=0)) / np.linalg.norm(a, axis=0) / np.linalg.norm(b, axis=0)
    error = np.sqrt(np.maximum(2 - 2 * cosine, 0))
    return float(np.sqrt((error**2).mean())), float(np.percentile(error, 99))


def brain(folder: Path, name: str) -> Tensor:
    """K-space (coil, 1, 128, 128) of a scan of lines."""
    import h5py

    with h5py.File(folder / "mrd" / name) as file:
        lines = file["dataset/data"][:]
    return torch.from_numpy(np.stack([line["data"].view(np.complex64).reshape(-1, 128) for line in lines], 1)[:, None])


def scans() -> Iterator[tuple[str, Tensor, NDArray[np.bool_], Maps | None]]:
    """Name, k-space, the head and the true maps where they are known."""
    for coils, noise in ((32, 0.0), (32, 0.02)):
        torch.manual_seed(0)
        data = torch.from_numpy(cartesian((128, 128, 1), coils=coils))
        head = support(truth((128, 128, 1)))
        yield (
            f"phantom, {coils} coils, noise {noise:g}",
            data + noise * torch.randn_like(data),
            head,
            coil_maps((128, 128, 1), coils=coils),
        )
    if not os.environ.get("DEEPGADGETS_DATA"):
        print("no scanner data: DEEPGADGETS_DATA is not set\n")
        return
    folder = Path(os.environ["DEEPGADGETS_DATA"])
    data, body = (brain(folder, f"brain_gre_3T_{name}_full.h5") for name in ("16ch", "bodycoil2ch"))
    images, uniform = ifft(data, AXES), ifft(body, AXES)
    ratio = torch.nn.functional.avg_pool2d(
        torch.view_as_real(images * uniform[:1].conj()).movedim(-1, 1)[:, :, 0], 3, 1, 1
    )
    ratio = torch.complex(ratio[:, 0], ratio[:, 1])[:, None].numpy()
    yield "brain, 16 coils", data, support(uniform.abs().sum(dim=0).numpy()), ratio
    data = torch.from_numpy(np.load(folder / "kspace" / "brain_8ch_poisson_R8.npy"))[:, None]
    low = torch.zeros_like(data)
    middle = tuple(slice(length // 2 - WIDTH // 2, length // 2 + WIDTH // 2) for length in data.shape[2:])
    low[:, :, middle[0], middle[1]] = data[:, :, middle[0], middle[1]]
    yield "brain, 8 coils, Poisson disc", data, support(ifft(low, AXES).norm(dim=0).numpy()), None


def accuracy() -> None:
    """The table of distances."""
    calibration, has_bart = sigpy_calibration(), bart.version() is not None
    print("| data | maps | to BART, rms | p99 | to the truth, rms | p99 |\n|---|---|---|---|---|---|")
    for name, data, head, true in scans():
        found = {"ours": ours(data), "ours, threshold of BART's default": ours(data, 0.001**0.5)}
        peers = {}
        if has_bart:
            for label, threshold in (("BART", THRESHOLD), ("BART, its default", 0.001**0.5)):
                peers[label] = bart.run(*ecalib(threshold), inputs=(data.numpy(),))[0].reshape(data.shape)
        if calibration is not None:
            peers["SigPy"] = sigpy_maps(calibration, data)
        for label, maps in {**found, **peers}.items():
            other = peers.get("BART, its default" if "default" in label else "BART")
            cells = [
                "- | -"
                if reference is None or reference is maps
                else "{:.1e} | {:.1e}".format(*distance(maps, reference, head))
                for reference in (other, true)
            ]
            print(f"| {name} | {label} | {' | '.join(cells)} |", flush=True)


def speed(matrix: tuple[int, int, int], coils: int, runs: int, threads: int) -> None:
    """Times in turns, and the medians of the ratios of one turn."""
    torch.manual_seed(0)
    data = torch.from_numpy(cartesian(matrix, coils=coils))
    data = data + 0.02 * torch.randn_like(data)
    timed(f"phantom, {coils} coils, {' x '.join(map(str, matrix))}", data, runs, threads)


def timed(name: str, data: Tensor, runs: int, threads: int) -> None:
    """One line of the table of times."""
    coils = data.shape[0]
    size = 8 * coils**2 * data[0].numel() / 2**30
    calibration = sigpy_calibration()
    with tempfile.TemporaryDirectory() as folder:
        files = [str(Path(folder, "kspace")), str(Path(folder, "maps"))]
        jobs: dict[str, Callable[[], object]] = {"ours": lambda: ours(data)}
        if bart.version() is not None:
            bart.write(Path(files[0]), data.numpy())
            # Of several turns, the first shows that it ends.
            jobs["BART"] = lambda: bart.call(
                *ecalib(), *files, threads=threads, limit=PATIENCE * times["ours"][0] if runs == 1 else None
            )
            jobs["start of BART"] = lambda: bart.call("version", threads=threads)
        if calibration is not None and size < MEMORY:
            own = partial(sigpy_maps, calibration, data)
            jobs["SigPy"] = own if runs > 1 else lambda: limited(own, PATIENCE * times["ours"][0])
        if calibration is not None and size >= MEMORY:
            print(f"SigPy is left out of {name}: it would hold {size:.0f} GB of matrices twice")
        times: dict[str, list[float]] = {job: [] for job in jobs}
        stopped: set[str] = set()
        for turn in range(runs + 1):
            for job, work in jobs.items():
                begin = time.perf_counter()
                try:
                    work()
                except subprocess.TimeoutExpired:
                    stopped.add(job)
                if turn or runs == 1:  # the first turn is for warming
                    times[job].append(time.perf_counter() - begin)
            if runs == 1:
                break
    for job, seconds in times.items():
        ratio = statistics.median(theirs / own for theirs, own in zip(seconds, times["ours"], strict=True))
        more = "stopped after " if job in stopped else ""
        print(
            f"| {name} | {job} | {more}{statistics.median(seconds):.3f} | {min(seconds):.3f} | {ratio:.2f} |",
            flush=True,
        )


def main() -> None:
    numbers = [int(argument) for argument in sys.argv[1:] if argument.isdigit()]
    runs, threads = [*numbers, *(3, 2)[len(numbers) :]]
    torch.set_num_threads(threads)
    print(f"BART {bart.version()}, SigPy {'' if sigpy_calibration() else 'not '}installed\n")
    volume = "volume" in sys.argv
    if not volume:
        accuracy()
    print(f"\n{threads} threads; BART with its files, as a process\n")
    print("| data | who | seconds, median | minimum | times ours |\n|---|---|---|---|---|")
    if volume:
        speed((160, 160, 8), 32, 1, threads)
        speed((160, 160, 64), 32, 1, threads)
        return
    if os.environ.get("DEEPGADGETS_DATA"):
        timed(
            "brain, 16 coils, 128 x 128",
            brain(Path(os.environ["DEEPGADGETS_DATA"]), "brain_gre_3T_16ch_full.h5"),
            runs,
            threads,
        )
    speed((128, 128, 1), 16, runs, threads)
    speed((256, 256, 1), 32, runs, threads)


if __name__ == "__main__":
    main()
