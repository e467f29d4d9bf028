"""BART as a peer: its files, and one run of its command. It is never needed but to compare with.

BART's files hold complex64 with the first axis moving fastest, in the order x, y, z, coil; numpy's (coil, z, y, x) lies
the same way in memory, so that only the header is turned round. Its transform from image to k-space has our sign, and
its `pics` uses it centred and orthonormal, as we do: k-space, maps and images are exchanged as they are.
Uecker et al., BART Toolbox for Computational Magnetic Resonance Imaging. doi:10.5281/zenodo.592960
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


def version() -> str | None:
    """What `bart version` says; None where there is no BART."""
    if shutil.which("bart") is None:
        return None
    return subprocess.run(["bart", "version"], capture_output=True, text=True, check=True).stdout.strip()


def write(path: Path, array: NDArray[np.complexfloating]) -> None:
    """`array` as path.cfl and path.hdr, its last axis first."""
    path.with_suffix(".hdr").write_text("# Dimensions\n" + " ".join(map(str, array.shape[::-1])) + "\n")
    np.ascontiguousarray(array, np.complex64).tofile(path.with_suffix(".cfl"))


def read(path: Path) -> NDArray[np.complex64]:
    """The array of path.cfl, without the axes of length 1 that BART puts in front of ours."""
    dims = [int(length) for length in path.with_suffix(".hdr").read_text().splitlines()[1].split()]
    while len(dims) > 1 and dims[-1] == 1:
        dims.pop()
    return np.fromfile(path.with_suffix(".cfl"), np.complex64).reshape(dims[::-1])


def run(
    *command: str, inputs: tuple[NDArray[np.complexfloating], ...], threads: int = 2
) -> tuple[NDArray[np.complex64], str]:
    """The result of `bart COMMAND input ... output`, and what it printed. Raises CalledProcessError where it fails."""
    with tempfile.TemporaryDirectory() as folder:
        names = [Path(folder, f"input{index}") for index in range(len(inputs))]
        for name, array in zip(names, inputs, strict=True):
            write(name, array)
        printed = call(*command, *map(str, names), str(Path(folder, "output")), threads=threads)
        return read(Path(folder, "output")), printed


@contextmanager
def files(*arrays: NDArray[np.complexfloating]) -> Iterator[list[str]]:
    """Names of files of `arrays`, for options that take a file, as long as the context lasts."""
    with tempfile.TemporaryDirectory() as folder:
        names = [Path(folder, f"option{index}") for index in range(len(arrays))]
        for name, array in zip(names, arrays, strict=True):
            write(name, array)
        yield list(map(str, names))


def call(*command: str, threads: int = 2, limit: float | None = None) -> str:
    """One run of the program on files that exist; what it printed. TimeoutExpired after `limit` seconds."""
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    done = subprocess.run(
        ["bart", *command], capture_output=True, text=True, check=True, env=environment, timeout=limit
    )
    return re.sub(r"\x1b\[[0-9;]*m", "", done.stdout + done.stderr)
