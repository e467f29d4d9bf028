"""Reading acquisitions over loopback: blocks of ours, the gadgetron package, a bare recv_into loop. Same bytes.

Run: python -m tests.benchmarks.bench_reading [seconds of data at 1 GB/s, default 1]
Prints acquisitions/s of each reader (best and median of interleaved runs), and the ratios of the medians.
"""

from __future__ import annotations

import multiprocessing
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Callable

import gadgetron.external
import ismrmrd
import numpy as np

from gadgets.stream.blocks import AcquisitionBlock
from gadgets.stream.codec import encode
from gadgets.stream.control import Close, Config, Header
from gadgets.stream.peer import connect

SHAPES = [(1, 128), (8, 256), (32, 512)]
RUNS = 5
REPEATS = 64
HEADER = (
    b'<?xml version="1.0"?><ismrmrdHeader xmlns="http://www.ismrm.org/ISMRMRD"><experimentalConditions>'
    b"<H1resonanceFrequency_Hz>1</H1resonanceFrequency_Hz></experimentalConditions></ismrmrdHeader>"
)


def produce(port: int, channels: int, samples: int, count: int) -> None:
    """Serve the same preassembled bytes to every client, by sendfile: it is the reading that is to be measured."""
    acquisition = ismrmrd.Acquisition.from_array(np.ones((channels, samples), np.complex64))
    one = b"".join(encode(acquisition))
    start = b"".join(b for item in (Config(b"<?xml version='1.0'?>"), Header(HEADER)) for b in encode(item))
    with tempfile.TemporaryFile() as file, socket.create_server(("127.0.0.1", port)) as listener:
        file.write(one * REPEATS)
        file.flush()
        while True:
            client, _ = listener.accept()
            with client:
                try:
                    client.sendall(start)
                    for _ in range(count // REPEATS):
                        client.sendfile(file)
                    client.sendall(b"".join(encode(Close())))
                except ConnectionError:
                    continue


def ours(sock: socket.socket, nbytes: int) -> int:
    return sum(len(b) for b in connect(sock).blocks() if isinstance(b, AcquisitionBlock))


def package(sock: socket.socket, nbytes: int) -> int:
    return sum(1 for _ in gadgetron.external.Connection(sock))


def bare(sock: socket.socket, nbytes: int) -> int:
    buffer = bytearray(4 << 20)
    received = 0
    while n := sock.recv_into(buffer):
        received += n
    return received // nbytes


def measure(reader: Callable[[socket.socket, int], int], port: int, nbytes: int) -> float:
    with socket.create_connection(("127.0.0.1", port)) as sock:
        began = time.perf_counter()
        count = reader(sock, nbytes)
        return count / (time.perf_counter() - began)


def main(seconds: float) -> None:
    print(f"{'shape':>10} {'reader':>8} {'median acq/s':>14} {'best':>10}   ratio of medians, ours / it")
    for channels, samples in SHAPES:
        nbytes = 342 + 8 * channels * samples
        count = max(10 * REPEATS, int(seconds * 1e9 / nbytes) // REPEATS * REPEATS)
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        producer = multiprocessing.get_context("spawn").Process(target=produce, args=(port, channels, samples, count))
        producer.start()
        time.sleep(2)
        rates: dict[str, list[float]] = {}
        for _ in range(RUNS):
            for reader in (ours, package, bare):
                rates.setdefault(reader.__name__, []).append(measure(reader, port, nbytes))
        producer.terminate()
        producer.join()
        median = {name: statistics.median(values) for name, values in rates.items()}
        for name, values in rates.items():
            ratio = f"{median['ours'] / median[name]:.2f}"
            print(f"{channels:>4} x {samples:<4} {name:>7} {median[name]:>14,.0f} {max(values):>10,.0f}   {ratio}")


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 1.0)
