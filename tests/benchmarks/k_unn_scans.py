"""The scans with which K-UNN's claims are shown."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from torch import Tensor

from gadgets.inputs.raw import kspaces
from gadgets.mri.calibration.compression import compression_matrix
from gadgets.mri.calibration.echo import echo
from gadgets.mri.calibration.walsh import walsh
from gadgets.mri.fft import fft, ifft
from gadgets.mri.kspace import KSpace
from gadgets.mri.operators.sensitivity import SensitivityOp
from gadgets.mri.training.augmentation import band_limited
from tests.support.brain import brain

NOISE = 0.005
PARTIAL = ("partial Fourier 5/8", "partial Fourier 5/8, every 2nd line")
RANDOM = "random lines, R = 4"
SPIN_ECHOES = ("FSE", "FLAIR")
GRADIENT_ECHOES = ("brain", "phantom")
PATIENTS = ("F6A", "F7A", "S6A")


def ellipses(n: int, random: np.random.Generator) -> NDArray[np.float64]:
    """Magnitudes (y, x) of a head that never was."""
    y, x = np.linspace(-1, 1, n)[:, None], np.linspace(-1, 1, n)

    def ellipse(cy: float, cx: float, a: float, b: float, tilt: float) -> NDArray[np.float64]:
        u = np.cos(tilt) * (x - cx) + np.sin(tilt) * (y - cy)
        v = np.cos(tilt) * (y - cy) - np.sin(tilt) * (x - cx)
        return np.clip((1 - np.hypot(u / a, v / b)) * min(a, b) * n / 2 + 0.5, 0, 1)

    body = ellipse(0, 0, random.uniform(0.6, 0.7), random.uniform(0.75, 0.85), random.uniform(-0.2, 0.2))
    image = 0.5 * body
    for _ in range(12):
        where, size = random.uniform(-0.45, 0.45, 2), random.uniform(0.05, 0.3, 2)
        image += random.uniform(-0.3, 0.4) * body * ellipse(*where, *size, random.uniform(0, np.pi))
    return np.clip(image, 0, None) * (1 + 0.06 * gaussian_filter(random.standard_normal((n, n)), 1))


def anatomy(folder: Path, n: int, patient: int) -> NDArray[np.float64]:
    """Magnitudes (y, x) of the second T2-weighted slice of a head at 3 T, in a field of view a fifth larger."""
    with np.load(folder / "images" / "patients_3T_slices.npz") as file:
        image = file[f"{PATIENTS[patient]}_3T_T2w"][1].astype(np.float64)
    side = round(1.2 * max(image.shape))
    before = [(side - length) // 2 for length in image.shape]
    square = np.pad(image, [(b, side - m - b) for b, m in zip(before, image.shape, strict=True)])
    return np.abs(band_limited(square, (n, n)))


def smooth_phase(n: int, random: np.random.Generator) -> NDArray[np.complex128]:
    """exp(i phase) (y, x), of second order."""
    y, x = np.linspace(-1, 1, n)[:, None], np.linspace(-1, 1, n)
    c = random.uniform(-1, 1, 5)
    return np.exp(1j * (c[0] * y + c[1] * x + c[2] * y * x + c[3] * y**2 + c[4] * x**2))


def coils(n: int, count: int, random: np.random.Generator) -> NDArray[np.complex128]:
    """Maps (coil, y, x), sum_coil |csm|^2 = 1."""
    y, x = np.linspace(-1, 1, n)[:, None], np.linspace(-1, 1, n)
    angle = (2 * np.pi * (np.arange(count) + random.uniform()) / count)[:, None, None]
    distance = (y - 1.1 * np.sin(angle)) ** 2 + (x - 1.1 * np.cos(angle)) ** 2
    turn = random.uniform(-1, 1, (3, count, 1, 1))
    maps = np.exp(-distance / (2 * 0.9**2) + 1j * (np.pi * turn[0] + turn[1] * y + turn[2] * x))
    return maps / np.linalg.norm(maps, axis=0)


def simulated(n: int, seed: int, folder: Path | None = None) -> tuple[Tensor, Tensor]:
    """K-space (coil, 1, n, n) with noise, and the magnitude (1, 1, n, n): of ellipses, or of a patient."""
    random = np.random.default_rng(seed)
    magnitude = ellipses(n, random) if folder is None else anatomy(folder, n, seed)
    image = magnitude / magnitude.max() * smooth_phase(n, random)
    data = fft(torch.from_numpy(coils(n, 6, random) * image).to(torch.complex64)[:, None], (-2, -1))
    noise = torch.randn(data.shape, dtype=data.dtype, generator=torch.Generator().manual_seed(seed))
    return data + NOISE * noise, torch.from_numpy(np.abs(image))[None, None]


def pattern(name: str, data: Tensor, seed: int = 0) -> Tensor:
    """Mask (1, 1, k1, k0) of lines along k0, for k-space (coil, 1, k1, k0)."""
    n = data.shape[-2]
    lines = torch.zeros(n, dtype=torch.bool)
    last, middle = round(5 / 8 * n), n // 2
    if name == RANDOM:
        distance = np.abs(np.arange(n) - middle) / middle
        lines[middle - n // 16 : middle + n // 16] = True
        likely = np.where(lines, 0, (1 - 0.9 * distance) ** 2)
        random = np.random.default_rng(seed)
        lines[random.choice(n, n // 4 - int(lines.sum()), replace=False, p=likely / likely.sum())] = True
    else:
        lines[: last : 1 if name == PARTIAL[0] else 2] = True
        lines[middle - n // 9 : min(middle + n // 9, last)] = True
    return lines[:, None].expand(data.shape[-2:])[None, None]


def sampled(name: str, data: Tensor, seed: int = 0) -> KSpace:
    """What of k-space is acquired."""
    mask = pattern(name, data, seed)
    return KSpace(data=data * mask, mask=mask)


def gradient_echo(folder: Path, what: str, size: int) -> tuple[Tensor, Tensor]:
    """The middle of the k-space (6, 1, size, size) of a brain or a phantom at 3 T, and its magnitude."""
    if what == "brain":
        whole = brain(folder, 2)[0].data[:, 0].numpy()
    else:
        (whole,) = kspaces([folder / "mrd" / f"{what}_gre_3T_16ch_full.h5"])
    rest = (128 - size) // 2
    middle = whole[:, rest : rest + size, rest : rest + size]
    channels = compression_matrix(middle.reshape(16, -1), coils=6)
    data = torch.from_numpy(np.einsum("vc,cyx->vyx", channels, middle).astype(np.complex64))[:, None]
    return data, ifft(data, (-2, -1)).norm(dim=0, keepdim=True)


def spin_echo(folder: Path, name: str, patient: int, size: int | None = None) -> tuple[Tensor, Tensor]:
    """K-space (1, 1, k1, k0) of the second slice of a head at 0.055 T, or its middle, and its magnitude."""
    with np.load(folder / "kspace" / "lowfield_0.055T_kspace.npz") as file:
        data = torch.from_numpy(np.ascontiguousarray(file[f"{PATIENTS[patient]}_{name}"][:, :, 1])).to(torch.complex64)[
            None, None
        ]
    if size is not None:
        begins = [(n - size) // 2 for n in data.shape[-2:]]
        data = data[..., begins[0] : begins[0] + size, begins[1] : begins[1] + size]
    return data, ifft(data, (-2, -1)).abs()


def unexplained(data: Tensor, kernel: int) -> float:
    """What no phase of `kernel` points per axis makes of the conjugate of an image: min_p ||x - p conj(x)|| / ||x||.

    x is combined from all of k-space (coil, 1, k1, k0), and conjugated about its echo.
    """
    x = combined(ifft(echo(data[:, 0]).centred(data[:, 0])[:, None], (-2, -1)))[0, 0].to(torch.complex128)
    waves = [
        torch.exp(2j * torch.pi * (torch.arange(n) - n // 2)[:, None] / n * (torch.arange(kernel) - kernel // 2))
        for n in x.shape
    ]
    columns = torch.einsum("yk,xl->yxkl", *waves).reshape(x.numel(), -1) * x.conj().reshape(-1, 1)
    unknown = torch.linalg.lstsq(columns.to(x.dtype), x.reshape(-1, 1)).solution
    return float((columns @ unknown - x.reshape(-1, 1)).norm() / x.norm())


def combined(images: Tensor) -> Tensor:
    """Coil images (coil, z, y, x) as K-UNN combines them."""
    csm, _ = walsh(images)
    return SensitivityOp(csm).H(images)
