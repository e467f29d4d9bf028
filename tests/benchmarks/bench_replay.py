"""Replay of a file in process, through a chain that passes acquisitions on.

Run: python -m tests.benchmarks.bench_replay
8 coils x 512, and others; the file lies in the page cache. The chain is `extract`, which lets acquisitions by.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

from pipelines.clients.acquisition_writer import AcquisitionWriter
from pipelines.clients.dataset import Dataset
from pipelines.clients.replay import replay
from pipelines.host import config
from tests.benchmarks.serving import simulated

PIPELINE = config.parse(
    b"<configuration><version>2</version><readers/><writers/><stream><external>"
    b'<execute name="gadgets.extract" target="extract" type="python"/><configuration/>'
    b"</external></stream></configuration>",
    "pass",
)


def main() -> None:
    for coils in (8, 32):
        header, items = simulated(coils, repetitions=40 if coils == 8 else 10)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "scan.h5")
            with AcquisitionWriter(path, header) as writer:
                for item in items:
                    writer.write(item)
            rates = []
            for _ in range(5):
                began = time.perf_counter()
                with Dataset(path) as dataset:
                    count = sum(len(item) for item in replay(PIPELINE, dataset.header, dataset.items()))
                rates.append(count / (time.perf_counter() - began))
        print(f"{coils:>2} coils x 512: median {statistics.median(rates):,.0f} acq/s, best {max(rates):,.0f}")


if __name__ == "__main__":
    main()
