"""From the last acquisition sent to the last image received, against the same reconstruction alone.

Run: python -m tests.benchmarks.bench_latency
The scan is sent at four times a scanner's speed (TR 5 ms), so that the server has nothing left to catch up with.
Alone: the gadget `reconstruct` on the same recon data in this process.
"""

from __future__ import annotations

import statistics
import time

from gadgetron.types.recon_data import ReconData

from gadgets.reconstruct import reconstruct
from gadgets.stream.codec import encode
from gadgets.stream.connection import Connection
from gadgets.stream.transport import MemoryTransport
from pipelines.clients.replay import find, replay
from tests.benchmarks.serving import server, session, simulated

RUNS = 5


def alone(pipeline: str, method: str, header: bytes, items: list[object]) -> float:
    """Seconds that the gadget `reconstruct` takes alone for one frame, calibration included; the median of several."""
    nodes = find(pipeline)
    ahead = type(nodes)(
        name=nodes.name, nodes=tuple(n for n in nodes.nodes if n.label not in AFTER and n.label != "coil_sensitivities")
    )
    (data,) = [item for item in replay(ahead, header, items) if isinstance(item, ReconData)]
    seconds = []
    for _ in range(RUNS + 1):
        connection = Connection(MemoryTransport([data]), b"", header)
        began = time.perf_counter()
        reconstruct(connection, method=method)
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds[1:])


AFTER = {"reconstruct", "image_array_split", "complex_to_float", "auto_scale", "float_to_u_short", "image_finish"}


def main() -> None:
    with server() as (port, _, listening):
        print(f"listening after {listening:.3f} s")
        for pipeline, method, acceleration in (("cartesian_rss", "rss", 1), ("cartesian_sense", "cg_sense", 2)):
            header, items = simulated(8, repetitions=1, acceleration=(acceleration, 1))
            messages = [b"".join(encode(one)) for block in items for one in block]
            paced = Paced(messages, 5e-3 / 4)
            latencies = []
            for run in range(RUNS + 1):
                result = session(port, pipeline, header, paced)
                assert len(result.images) == 1, result.texts
                if run:
                    latencies.append(result.latency)
            seconds = alone(pipeline, method, header, items)
            bound = 1.3 * seconds + 0.02
            print(
                f"{pipeline}: last acquisition to image, median {1e3 * statistics.median(latencies):.1f} ms, best "
                f"{1e3 * min(latencies):.1f}; {method} alone {1e3 * seconds:.1f} ms; 1.3 x + 20 ms is {1e3 * bound:.1f}"
            )


class Paced(list[bytes]):
    """Messages, one every so many seconds."""

    def __init__(self, messages: list[bytes], interval: float):
        super().__init__(messages)
        self.interval = interval

    def __iter__(self):  # type: ignore[no-untyped-def]
        began = time.perf_counter()
        for i in range(len(self)):
            time.sleep(max(0.0, began + i * self.interval - time.perf_counter()))
            yield self[i]


if __name__ == "__main__":
    main()
