"""Reading and writing of acquisitions: ours in blocks, against ismrmrd.Dataset record by record.

    python -m tests.benchmarks.bench_dataset [FOLDER]

Files are made in FOLDER (default: a temporary one) and read while they are in the page cache; best of three.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import h5py
import ismrmrd
import ismrmrd.hdf5
import numpy as np

from gadgets.stream.blocks import AcquisitionBlock
from gadgets.stream.dtypes import ACQUISITION_HEADER
from pipelines.clients.acquisition_writer import AcquisitionWriter
from pipelines.clients.dataset import Dataset
from tests.support.streams import header_xml

SHAPES = ((1, 128, 40960), (8, 256, 16384), (8, 512, 8192), (32, 512, 2048))
BLOCK = 256
SINGLE = 400


def block(channels: int, samples: int, first: int) -> AcquisitionBlock:
    headers = np.zeros(BLOCK, ACQUISITION_HEADER)
    headers["number_of_samples"], headers["active_channels"] = samples, channels
    headers["scan_counter"] = first + np.arange(BLOCK)
    return AcquisitionBlock(headers, np.ones((BLOCK, channels, samples), np.complex64))


def timed(work) -> float:
    start = time.perf_counter()
    n = work()
    return n / (time.perf_counter() - start)


def write(path: Path, part: AcquisitionBlock, n: int) -> int:
    with AcquisitionWriter(path, header_xml()) as writer:
        for _ in range(0, n, BLOCK):
            writer.write(part)
    return n


def fastest_write(path: Path, channels: int, samples: int, n: int) -> float:
    part = block(channels, samples, 0)
    rates = []
    for _ in range(3):
        path.unlink(missing_ok=True)
        rates.append(timed(lambda: write(path, part, n)))
    return max(rates)


def read(path: Path) -> int:
    with Dataset(path) as dataset:
        return sum(len(item) for item in dataset.items())


def read_singly(path: Path) -> int:
    file = ismrmrd.Dataset(path, mode="r")
    for i in range(SINGLE):
        file.read_acquisition(i)
    file.close()
    return SINGLE


def rechunk(source: Path, target: Path) -> None:
    """The same file with one acquisition to a chunk, as the C++ library and most converters write it."""
    with h5py.File(source) as there, h5py.File(target, "w") as here:
        here["dataset/xml"] = there["dataset/xml"][()]
        data = there["dataset/data"]
        copy = here.create_dataset("dataset/data", data.shape, data.dtype, maxshape=(None,), chunks=(1,))
        for i in range(0, len(data), BLOCK):
            copy[i : i + BLOCK] = data[i : i + BLOCK]


def main() -> None:
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else None) as folder:
        ours, theirs = Path(folder, "ours.h5"), Path(folder, "chunk1.h5")
        print("acquisitions/s          write    read   read, chunks of 1   ismrmrd.Dataset, singly")
        for channels, samples, n in SHAPES:
            written = fastest_write(ours, channels, samples, n)
            rechunk(ours, theirs)
            best = [max(timed(lambda p=p: read(p)) for _ in range(3)) for p in (ours, theirs)]
            singly = timed(lambda: read_singly(theirs))
            print(f"{channels:3d} x {samples:4d} {written:16.0f} {best[0]:8.0f} {best[1]:12.0f} {singly:19.0f}")


if __name__ == "__main__":
    main()
