"""`default` over the socket against gadgetron.examples.recon_acquisitions in the same server.

Run: python -m tests.benchmarks.bench_default
256 x 256, two-fold oversampling, 10 repetitions, 8 and 32 coils; data preloaded; one warm worker; runs interleaved.
"""

from __future__ import annotations

import statistics

import numpy as np

from tests.benchmarks.serving import pipeline_of, server, session, simulated, wire

RUNS = 11


def main() -> None:
    example = pipeline_of("gadgetron.examples", "recon_acquisitions")
    with server() as (port, _, listening):
        print(f"listening after {listening:.3f} s")
        for coils in (8, 32):
            header, items = simulated(coils)
            count = sum(len(item) for item in items)
            messages = wire(items)
            ours, theirs = [], []
            for run in range(RUNS + 1):
                first, second = (session(port, config, header, messages) for config in ("default", example))
                assert len(first.images) == len(second.images) == 10, (first.texts, second.texts)
                if run:
                    ours.append(first.seconds)
                    theirs.append(second.seconds)
            error = max(
                np.linalg.norm(a.data - b.data) / np.linalg.norm(b.data)
                for a, b in zip(first.images, second.images, strict=True)
            )
            a, b = statistics.median(ours), statistics.median(theirs)
            print(
                f"{coils:>2} coils: default {a:.3f} s ({count / a:,.0f} acq/s, best {min(ours):.3f}), "
                f"example {b:.3f} s ({count / b:,.0f} acq/s, best {min(theirs):.3f}), "
                f"ratio {b / a:.2f}; images differ by {error:.1e}"
            )


if __name__ == "__main__":
    main()
