"""What trained reconstructions cost: time against iterations, coils and matrix, frames a second, memory, precision.

Run: python -m tests.benchmarks.bench_deep [--model NAME OR PATH OF A CARD] [--small] [--output FOLDER OF THE PICTURE]
Without a model, `modl` and `varnet` with random weights in the networks that they have by default; what they cost does
not depend on weights. What varies is measured on networks, and frames on whole methods with the iterations of their
models. Scans are the phantom at random points, R = 4, with known maps. On a GPU, where there is one: seconds on the
clock. Else processor time on one core, which other work on the computer changes little. Medians of 5 after one to warm
up. Prints tables and, with matplotlib, draws deep_cost.png, where the grey lines are cost in proportion.
"""

from __future__ import annotations

import argparse
import ctypes
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from gadgets.mri import methods
from gadgets.mri.kspace import KSpace
from gadgets.mri.models import card as cards
from tests.support.models import damaged, untrained
from tests.support.sampled_phantom import phantom_scan, random_sampling

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
# What varies, and what the others are meanwhile.
STANDARD = {"iterations": 5, "coils": 8, "matrix": 256}
SIZES = {"iterations": (2, 4, 6, 8, 10), "coils": (1, 4, 8, 16, 32), "matrix": (64, 128, 256, 512)}
SLICES = (1, 2, 4, 8)
SMALL_STANDARD = {"iterations": 2, "coils": 4, "matrix": 96}
SMALL_SIZES = {"iterations": (2, 4), "coils": (1, 4, 8), "matrix": (64, 96, 128)}
SMALL_SLICES = (1, 2, 4)
# Calls in a row. Those of a GPU queue up, and many show what it does meanwhile; elsewhere each is done when it returns.
FRAMES, FEW_FRAMES = 10, 2
# Operations that need a number on the host before the next line can run.
READ_BACK = ("_local_scalar_dense", "nonzero", "equal", "is_nonzero", "masked_select")

Work = Callable[[], object]


def scan(coils: int, matrix: int, slices: int = 1) -> tuple[KSpace, Tensor]:
    """K-space of slices that are alike, and maps of each."""
    kspace, csm, _ = phantom_scan(matrix, random_sampling(matrix, 4, centre=24), coils=coils)
    data = kspace.data.expand(slices, *kspace.data.shape).clone()
    mask = kspace.mask.expand(slices, *kspace.mask.shape)
    return KSpace(data=data, mask=mask).to(DEVICE), csm.expand(slices, *csm.shape).clone().to(DEVICE)


def now() -> float:
    """Seconds, after all that the device has to do."""
    if DEVICE.type == "cuda":
        torch.cuda.synchronize()
        return time.perf_counter()
    return time.process_time()


def seconds(work: Work, runs: int = 5) -> float:
    """The median, after one to warm up."""
    work()
    times = []
    for _ in range(runs):
        began = now()
        work()
        times.append(now() - began)
    return statistics.median(times)


def peak_mb(work: Work) -> float:
    """The most memory at once in MB: of tensors on a GPU; else of the process, above what it was."""
    if DEVICE.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        work()
        torch.cuda.synchronize()
        return (torch.cuda.max_memory_allocated() - before) / 2**20
    # What was freed goes back to the system, and the highest size of the process is what it is now.
    ctypes.CDLL("libc.so.6").malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")
    before = _status("VmRSS")
    work()
    return _status("VmHWM") - before


def _status(name: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(name))


class ReadBacks(TorchDispatchMode):
    """Counts operations whose result the host has to wait for."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        self.count += name in READ_BACK
        if name == "_to_copy" and (kwargs or {}).get("device") == torch.device("cpu"):
            self.count += args[0].device.type != "cpu"
        return func(*args, **(kwargs or {}))


def waits(work: Work) -> str:
    """How often the host waits for the device in `work`, and on a GPU what CUDA says of the first time."""
    with ReadBacks() as mode:
        work()
    if DEVICE.type == "cpu":
        return str(mode.count)
    torch.cuda.set_sync_debug_mode("error")
    try:
        work()
    except RuntimeError as error:
        return f"{mode.count} ({str(error).splitlines()[0]})"
    finally:
        torch.cuda.set_sync_debug_mode("default")
    return f"{mode.count} (CUDA: none)"


def device_share(work: Work) -> str:
    """The share of the time on the clock in which a GPU computes."""
    if DEVICE.type == "cpu":
        return "-"
    activities = [torch.profiler.ProfilerActivity.CPU, torch.profiler.ProfilerActivity.CUDA]
    elapsed = seconds(work)
    with torch.profiler.profile(activities=activities) as profile:
        work()
        torch.cuda.synchronize()
    busy = sum(event.self_device_time_total for event in profile.key_averages()) / 1e6
    return f"{100 * min(busy / elapsed, 1):.0f} %"


def half(network: nn.Module, kspace: KSpace, csm: Tensor) -> tuple[float, float]:
    """Convolutions in bfloat16: the relative error of the image, and how many times as fast it comes."""
    with torch.inference_mode():
        exact, whole = network(kspace, csm), seconds(lambda: network(kspace, csm))
        with torch.autocast(DEVICE.type, dtype=torch.bfloat16):
            rough, short = network(kspace, csm), seconds(lambda: network(kspace, csm))
    return float((rough - exact).norm() / exact.norm()), whole / short


def random_model(method: str, folder: Path) -> str:
    """A model of random weights, with none at zero: else networks would be the identity."""
    path = untrained(method, methods.find(method).network, folder)
    return str(damaged(path, lambda value: value if value.any() else 0.02 * torch.randn(value.shape)))


def measured(models: dict[str, str], small: bool) -> dict[str, dict[str, list[float]]]:
    """Seconds of each model's network, for each size of what varies."""
    standard, sizes = (SMALL_STANDARD, SMALL_SIZES) if small else (STANDARD, SIZES)
    found: dict[str, dict[str, list[float]]] = {}
    for axis, values in sizes.items():
        for value in values:
            chosen = {**standard, axis: value}
            kspace, csm = scan(chosen["coils"], chosen["matrix"])
            for name, model in models.items():
                card = cards.read(cards.find(model))
                # As many weights as iterations: they are new ones, which cost the same.
                settings = {**card.network, "iterations": chosen["iterations"]}
                network = methods.find(card.method).network(**settings).to(DEVICE).eval()
                with torch.inference_mode():
                    took = seconds(lambda n=network, k=kspace, c=csm: n(k, c))
                found.setdefault(axis, {}).setdefault(name, []).append(took)
                print(f"{name}, {axis} {value}: {1e3 * took:.1f} ms", flush=True)
    return found


def frames(models: dict[str, str], small: bool) -> dict[str, list[tuple[float, float]]]:
    """Frames a second and MB of each model as a method, for batches of slices; nothing is waited for in between."""
    standard, slices = (SMALL_STANDARD, SMALL_SLICES) if small else (STANDARD, SLICES)
    calls = FRAMES if DEVICE.type == "cuda" and not small else FEW_FRAMES
    found: dict[str, list[tuple[float, float]]] = {}
    for count in slices:
        kspace, csm = scan(standard["coils"], standard["matrix"], count)
        for name, model in models.items():
            method = methods.create(cards.read(cards.find(model)).method, {"model": model})

            def series(method: Any = method, kspace: KSpace = kspace, csm: Tensor = csm) -> None:
                for _ in range(calls):
                    method(kspace, csm)

            series()
            took = seconds(series, runs=1) / calls
            memory = peak_mb(lambda m=method, k=kspace, c=csm: m(k, c))
            found.setdefault(name, []).append((count / took, memory))
    return found


def draw(
    costs: dict[str, dict[str, list[float]]], rates: dict[str, list[tuple[float, float]]], small: bool, path: Path
) -> None:
    """One panel for each thing that varies, and one for frames a second."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    sizes, slices = (SMALL_SIZES, SMALL_SLICES) if small else (SIZES, SLICES)
    figure, panels = pyplot.subplots(1, len(costs) + 1, figsize=(12, 3), layout="constrained")
    for panel, (axis, models) in zip(panels, costs.items(), strict=False):
        for (name, values), marker in zip(models.items(), "os^", strict=False):
            panel.loglog(sizes[axis], values, marker=marker, markersize=4, label=name)
        power = 2 if axis == "matrix" else 1
        first = min(values[0] for values in models.values()) / 1.6
        line = [first * (size / sizes[axis][0]) ** power for size in sizes[axis]]
        panel.loglog(sizes[axis], line, color="0.7", linewidth=1)
        _label(panel, sizes[axis], "matrix (points per axis)" if axis == "matrix" else axis)
        if panel is not panels[0]:
            panel.sharey(panels[0])
            panel.tick_params(labelleft=False, which="both")
    every = [value for models in costs.values() for values in models.values() for value in values]
    # Panels that share an axis have the limits of the first.
    panels[0].set_ylim(min(every) / 1.6, 1.6 * max(every))
    for (name, values), marker in zip(rates.items(), "os^", strict=False):
        panels[-1].semilogx(slices, [rate for rate, _ in values], marker=marker, markersize=4, label=name)
    panels[-1].set_ylim(bottom=0)
    _label(panels[-1], slices, "slices at once")
    panels[0].set_ylabel("seconds of a slice")
    panels[-1].set_ylabel("slices a second")
    panels[0].legend(frameon=False, fontsize=8)
    figure.suptitle(f"on {torch.cuda.get_device_name() if DEVICE.type == 'cuda' else 'one core'}", fontsize=9)
    figure.savefig(path, dpi=110)


def _label(panel: Any, sizes: tuple[int, ...], text: str) -> None:
    panel.set_xticks(sizes, [str(size) for size in sizes])
    panel.set_xticks([], minor=True)
    panel.set_xlabel(text)
    panel.grid(True, which="major", color="0.92")


def report(models: dict[str, str], small: bool, folder: Path) -> None:
    """All of it."""
    standard, sizes, slices = (SMALL_STANDARD, SMALL_SIZES, SMALL_SLICES) if small else (STANDARD, SIZES, SLICES)
    costs, rates = measured(models, small), frames(models, small)
    print(f"\nDevice: {torch.cuda.get_device_name() if DEVICE.type == 'cuda' else 'one core'}. {standard}")
    for axis, times in costs.items():
        print(f"\n| {axis} | {' | '.join(map(str, sizes[axis]))} |\n|---|{'---|' * len(sizes[axis])}")
        for name, values in times.items():
            print(f"| {name} | {' | '.join(f'{1e3 * value:.1f} ms' for value in values)} |")
    print("\nWhole methods, with the iterations of their models:")
    print(f"\n| slices at once | {' | '.join(map(str, slices))} |\n|---|{'---|' * len(slices)}")
    for name, pairs in rates.items():
        print(f"| {name} | {' | '.join(f'{rate:.1f} / s, {memory:.0f} MB' for rate, memory in pairs)} |")
    print("\n| model | GPU busy | host waits, network | host waits, method | error in bfloat16 | times as fast |")
    print("|---|---|---|---|---|---|")
    kspace, csm = scan(standard["coils"], standard["matrix"])
    for name, model in models.items():
        method: Any = methods.create(cards.read(cards.find(model)).method, {"model": model})
        network, _ = method.trained(DEVICE)

        def forward(network: Any = network) -> None:
            with torch.inference_mode():
                network(kspace, csm)

        def whole(method: Any = method) -> None:
            method(kspace, csm)

        error, faster = half(network, kspace, csm)
        found = (device_share(whole), waits(forward), waits(whole), f"{error:.1e}", f"{faster:.2f}")
        print(f"| {name} | {' | '.join(found)} |")
    try:
        draw(costs, rates, small, folder / "deep_cost.png")
    except ImportError as error:
        print(f"no picture: {error}")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", help="name of a model, or path of its card (default: random weights)")
    parser.add_argument("--small", action="store_true", help="small sizes, to see that it runs")
    parser.add_argument("--output", type=Path, default=Path("docs/pictures"), help="folder of the picture")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        models = {name: random_model(name, Path(folder)) for name in ("modl", "varnet")}
        if arguments.model:
            models = {cards.read(cards.find(arguments.model)).name: arguments.model}
        report(models, arguments.small, arguments.output)


if __name__ == "__main__":
    main()
