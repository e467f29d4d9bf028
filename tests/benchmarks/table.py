"""Every method on the same scans: docs/methods.md, docs/scan_specific.md and their pictures.

Run: DEEPGADGETS_DATA=FOLDER python -m tests.benchmarks.table [fits] [FOLDER OF THE RESULT, default docs]
With `fits`, methods that learn from each scan alone, and some others beside them.
Methods are those that `gadgets.mri.methods` finds; whether one takes a scan is for it to say. `table_scans.py` makes
the scans, `table_pictures.py` the pictures.
"""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gadgets.mri import methods
from gadgets.mri.kspace import KSpace
from gadgets.mri.operators.encoding import encoding
from gadgets.mri.quality.errors import nrmse, psnr
from gadgets.mri.quality.ssim import ssim
from gadgets.mri.solvers.deadline import deadline
from tests.benchmarks.table_pictures import picture
from tests.benchmarks.table_scans import Scan, scans, scans_for_fits

# Of processor time, which other work on the computer does not change.
LIMIT_S = 60
# Of the clock: what fits have by then is what they keep, as with the property `deadline`.
DEADLINE_S = 90
# What methods that learn from one scan are held against.
PEERS = ("cg_sense", "espirit_l1", "total_variation", "sake", "modl")
HEAD = """# Methods

Every method of `gadgets/mri/methods` on the same scans, with its default settings, as
`DEEPGADGETS_DATA=... python -m tests.benchmarks.table` wrote it; those that are fitted to each scan are in
[scan_specific.md](scan_specific.md). Methods that refuse a scan stand below its table with what they say.

Magnitudes are scaled to the truth (least squares); NRMSE, SSIM ([Wang 2004](https://doi.org/10.1109/TIP.2003.819861))
and PSNR are taken inside the object. Seconds are processor time of one call with its calibration, on one core; after
60 of them a method is stopped. Pictures show each image beside five times its error. A low error is no sign that a
method suits a scan that is sampled in another way: which does is what its refusals and its paper say.
"""
HEAD_OF_FITS = """# Methods that learn from one scan

Networks that are fitted to each scan alone, with their default settings, and others beside them, as
`DEEPGADGETS_DATA=... python -m tests.benchmarks.table fits` wrote it. Nothing but the samples decides when a fit ends.
All have the same channels (of the 16 of the brain, 8 virtual ones) and, where they take any, the same maps.

Magnitudes are scaled to the truth (least squares); NRMSE, SSIM ([Wang 2004](https://doi.org/10.1109/TIP.2003.819861))
and PSNR are taken inside the object. Seconds are processor time of one call with its calibration, on one core. Fits end
after 90 seconds on the clock with the best state that they had until then, by samples that were held out, as with
`reconstruct.deadline`; a star says where they did, and more time may have helped. Pictures show each image beside five
times its error.
"""


@dataclass
class Result:
    """What came of one method on one scan."""

    name: str
    image: NDArray[np.float32] | None = None
    seconds: float = 0.0
    stopped: bool = False
    figures: Sequence[str] = ()
    refusal: str = ""


@dataclass
class Table:
    """One scan and its results."""

    scan: Scan
    results: list[Result] = field(default_factory=list)

    def markdown(self, pictures: str) -> str:
        done = [result for result in self.results if result.image is not None]
        lines = [f"## {self.scan.title}", "", self.scan.text, ""]
        columns = ("held out",) if self.scan.truth is None else ("NRMSE", "SSIM", "PSNR")
        lines += [f"| method | {' | '.join(columns)} | seconds |", "|---|" + "---|" * (len(columns) + 1)]
        lines += [f"| `{r.name}` | {' | '.join(r.figures)} | {r.seconds:.1f}{'*' * r.stopped} |" for r in done]
        lines += ["", f"![images and errors]({pictures}/{self.scan.name}.png)", ""]
        reasons: dict[str, list[str]] = {}
        for result in self.results:
            if result.image is None:
                reasons.setdefault(result.refusal.replace(result.name, "..."), []).append(f"`{result.name}`")
        lines += [f"- {', '.join(names)}: {reason}" for reason, names in reasons.items()] + [""]
        return "\n".join(lines)


def result(name: str, scan: Scan, fits: bool) -> Result:
    """The method on the scan, or why it did not take it."""
    signal.setitimer(signal.ITIMER_PROF, 0 if fits else LIMIT_S)
    began = time.process_time()
    try:
        method = methods.create(name)
        with deadline(DEADLINE_S if fits else 0) as limit:
            calibration = method.calibrate(scan.reference)
            image = method(scan.kspace, calibration)
    except (ValueError, TypeError, TimeoutError) as error:
        return Result(name, refusal=str(error))
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    seconds = time.process_time() - began
    magnitude = image.abs().numpy().reshape(-1, *image.shape[-2:])
    if scan.truth is None:
        assert scan.left is not None
        return Result(name, magnitude, seconds, limit.met, [foretold(scan.left, calibration, image)])
    magnitude = magnitude * float(np.vdot(magnitude, scan.truth) / np.vdot(magnitude, magnitude))
    compared = (magnitude, scan.truth, scan.inside)
    return Result(
        name,
        magnitude,
        seconds,
        limit.met,
        [f"{nrmse(*compared):.4f}", f"{ssim(*compared):.3f}", f"{psnr(*compared):.1f} dB"],
    )


def foretold(left: KSpace, calibration: Tensor | None, image: Tensor) -> str:
    """||P F S x - y|| / ||y|| of samples that the method did not see, where its calibration is maps."""
    if calibration is None or calibration.shape != left.data.shape:
        return "no maps"
    missed = encoding(left, calibration)(image) - left.data
    return f"{float(missed.norm() / left.data.norm()):.3f}"


def stop(number: int, frame: FrameType | None) -> None:
    raise TimeoutError(f"stopped after {LIMIT_S} s of processor time")


def write(made: Iterator[Scan], names: Sequence[str], fits: bool, head: str, folder: Path, file: str) -> None:
    (folder / "pictures").mkdir(parents=True, exist_ok=True)
    parts = [head]
    for scan in made:
        table = Table(scan)
        for name in names:
            table.results.append(result(name, scan, fits))
            print(scan.name, name, *(table.results[-1].figures or [table.results[-1].refusal]), flush=True)
        done = {r.name: r.image for r in table.results if r.image is not None}
        picture(done, scan.truth, scan.inside, scan.frame).save(folder / "pictures" / f"{scan.name}.png", optimize=True)
        parts.append(table.markdown("pictures"))
        # After each scan: the next ones may take long.
        (folder / file).write_text("\n".join(parts).rstrip() + "\n")


def main(*arguments: str) -> None:
    signal.signal(signal.SIGPROF, stop)
    torch.set_num_threads(1)
    folder = Path(next((one for one in arguments if one != "fits"), "docs"))
    fits = [name for name in methods.names() if hasattr(methods.find(name), "fitted")]
    if "fits" in arguments:
        write(scans_for_fits(), [*PEERS, *fits], True, HEAD_OF_FITS, folder, "scan_specific.md")
    else:
        others = [name for name in methods.names() if name not in fits]
        write(scans(), others, False, HEAD, folder, "methods.md")


if __name__ == "__main__":
    main(*sys.argv[1:])
