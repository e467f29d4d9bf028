"""Memory of a server while gigabytes stream through it to a slow reader.

Run: python -m tests.benchmarks.bench_memory [gigabytes, default 10]
8 coils x 512 through gadgetron.examples.pass_through; the client reads a megabyte, then rests a millisecond. Prints the
largest resident size of the parent and of its worker.
"""

from __future__ import annotations

import socket
import sys
import threading
import time
from pathlib import Path

import numpy as np

from gadgets.stream.blocks import AcquisitionBlock
from gadgets.stream.codec import encode
from gadgets.stream.control import Close, Config, Header
from gadgets.stream.dtypes import ACQUISITION_HEADER
from pipelines.clients.simulate import Scan, header_xml
from tests.benchmarks.serving import pipeline_of, server

REST_S = 0.001
BLOCK = 128


def resident(pid: int) -> float:
    """Resident size of a process in MB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return 0.0


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def main(gigabytes: float) -> None:
    headers = np.zeros(BLOCK, ACQUISITION_HEADER)
    headers["number_of_samples"], headers["active_channels"] = 512, 8
    message = b"".join(encode(AcquisitionBlock(headers, np.ones((BLOCK, 8, 512), np.complex64))))
    repeats = int(gigabytes * 1e9 / len(message))
    opening = [Config(pipeline_of("gadgetron.examples", "pass_through")), Header(header_xml(Scan()))]
    with server() as (port, pid, _), socket.create_connection(("127.0.0.1", port)) as sock:

        def write() -> None:
            for item in opening:
                sock.sendall(b"".join(encode(item)))
            for _ in range(repeats):
                sock.sendall(message)
            sock.sendall(b"".join(encode(Close())))

        threading.Thread(target=write).start()
        received, began, looked = 0, time.perf_counter(), 0.0
        largest = {"parent": 0.0, "worker": 0.0}
        buffer = bytearray(1 << 20)
        while n := sock.recv_into(buffer):
            received += n
            time.sleep(REST_S)
            if time.perf_counter() - looked > 0.2:
                looked = time.perf_counter()
                (worker,) = children(pid)
                for name, process in (("parent", pid), ("worker", worker)):
                    largest[name] = max(largest[name], resident(process))
        seconds = time.perf_counter() - began
    assert received >= repeats * len(message)
    print(
        f"{received / 1e9:.1f} GB in {seconds:.1f} s; largest resident size: "
        + ", ".join(f"{name} {size:.0f} MB" for name, size in largest.items())
    )


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 10.0)
