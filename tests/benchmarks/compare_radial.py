"""Radial scans against BART: transforms, least squares with the same maps and with BART's own, gridding.

Run: DEEPGADGETS_DATA=FOLDER python -m tests.benchmarks.compare_radial
Prints the normalised distance of the magnitude of images, after scaling: BART scales k-space and maps in its own ways.
What is missing (BART, the data) is said and left out; the phantom is always there.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from gadgets.mri.kspace import KSpace
from gadgets.mri.methods.cg_sense import CgSense
from gadgets.mri.methods.gridding import Gridding
from gadgets.mri.operators.non_uniform_fourier import NonUniformFourierOp
from gadgets.mri.quality.errors import nrmse
from gadgets.mri.quality.support import support
from gadgets.tensors import kspace as kspace_of
from pipelines.clients.dataset import Dataset
from tests.benchmarks import bart
from tests.support.radial_scan import radial_scan, trajectory
from tests.support.scans import run_chain

FILES = ("phantom_radial_3T_4ch_256spokes.h5", "phantom_rtradial_17ch_3slc_33spokes.h5")
GADGETS = [
    ("acquisition_accumulate_trigger", {"trigger_dimension": "slice"}),
    ("bucket_to_buffer", {"split_slices": "true"}),
]


def compare_radial(kspace: KSpace) -> dict[str, float]:
    """How far BART's images of one slice (coil, 1, k1, k0) are from ours, by what was compared."""
    assert kspace.trajectory is not None
    matrix = kspace.image_matrix
    size = ":".join(map(str, matrix[::-1]))
    places = kspace.trajectory.flip(-4).movedim(-4, -1)[0].numpy()
    samples = (kspace.mask * kspace.data)[:, 0, ..., None].numpy()

    def bart_image(*command: str, inputs: tuple[np.ndarray, ...]) -> np.ndarray:
        return bart.run(*command, inputs=inputs)[0].reshape(-1, *matrix)

    def pics(csm: np.ndarray, iterations: int) -> np.ndarray:
        options = ("-l2", f"-r{method.damping}", "-w1", f"-i{iterations}")
        with bart.files(places) as (name,):
            return bart_image("pics", *options, "-t", name, inputs=(samples, csm))

    method = CgSense(tolerance=0)
    csm = method.calibrate(kspace)
    ours, gridded = method(kspace, csm), Gridding()(kspace, Gridding().calibrate(kspace))
    adjoint = NonUniformFourierOp(kspace.trajectory, matrix).adjoint(kspace.mask * kspace.data)
    coils = bart_image("nufft", "-i", f"-d{size}", inputs=(places, samples))
    centre = bart.run("fft", "-u", "7", inputs=(coils,))[0].reshape(coils.shape)
    their_csm = bart_image("ecalib", "-m1", "-r24", inputs=(centre,))
    return {
        "adjoint transform": distance(bart_image("nufft", "-a", f"-d{size}", inputs=(places, samples)), adjoint),
        "least squares, our maps": distance(pics(csm.numpy(), method.iterations), ours),
        "least squares, our maps, 100 iterations": distance(
            pics(csm.numpy(), 100), CgSense(tolerance=0, iterations=100)(kspace, csm)
        ),
        "least squares, BART's maps": distance(pics(their_csm, method.iterations), ours),
        "gridding, BART's inverse transform": distance(
            np.sqrt((np.abs(coils) ** 2).sum(axis=0, keepdims=True)), gridded
        ),
    }


def distance(found: np.ndarray, expected: Tensor) -> float:
    """The normalised error inside the object, after scaling."""
    ours = expected.abs().numpy()
    return nrmse(np.abs(found).reshape(ours.shape), ours, support(ours), scaled=True)


def scans() -> Iterator[tuple[str, KSpace]]:
    """Name and k-space of one slice after the other."""
    yield "phantom, 200 spokes", alone(radial_scan(trajectory(spokes=200, size=128), 128, coils=8, smooth=False), 0)
    yield "phantom, 50 spokes", alone(radial_scan(trajectory(spokes=50, size=128), 128, coils=8, smooth=False), 0)
    folder = os.environ.get("DEEPGADGETS_DATA")
    if not folder:
        print("no scanner data: DEEPGADGETS_DATA is not set\n")
        return
    for name in FILES:
        with Dataset(Path(folder, "mrd", name)) as dataset:
            items = run_chain(dataset.items(), dataset.header, GADGETS)
        for number, item in enumerate(items):
            whole = kspace_of(item.bits[0].data)
            yield f"{name}, slice {number}", alone(whole, (0, 0, 0))


def alone(kspace: KSpace, index: int | tuple[int, ...]) -> KSpace:
    """One slice."""
    assert kspace.trajectory is not None
    return KSpace(
        data=kspace.data[index],
        mask=kspace.mask[index].expand(1, *kspace.data.shape[-3:]),
        trajectory=kspace.trajectory[index],
        grid=kspace.grid,
    )


def main() -> None:
    """Print it all."""
    if bart.version() is None:
        print("no BART")
        return
    print(bart.version())
    for name, kspace in scans():
        print(f"\n{name}: {kspace.n_coils} coils, {kspace.matrix[1]} x {kspace.matrix[2]}, image {kspace.image_matrix}")
        for what, value in compare_radial(kspace).items():
            print(f"  {what}: {value:.4f}")


if __name__ == "__main__":
    torch.set_num_threads(2)
    main()
