"""Kernels that make every sample of k-space from its neighbours in all coils."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import torch
from torch import Tensor

from gadgets.mri.calibration.kernel_noise import noise_beyond
from gadgets.mri.fft import fft


def spirit_kernels(
    block: Tensor, *, kernel: int = 5, damping: float = 1e-2, matrix: Sequence[int] | None = None
) -> Tensor:
    """g (*other, coil, coil, d2, d1, d0) from fully sampled data (*other, coil, k2, k1, k0).

    min_g sum_k |s_c(k) - sum_{j,d} g_cj(d) s_j(k + d)|^2 + (damping * energy + noise) ||g_c||^2

    for each coil c, over all places k of the block whose neighbours all lie in it; d runs over `kernel` points per
    axis (odd; at most the length of the block) around 0, and g_cc(0) = 0. `energy` is the mean energy of a neighbour
    over all places. `noise` is 0 without the `matrix` (k2, k1, k0) of the k-space that is to be made; with it, see
    `noise_beyond`.

    All coils come from one inverse: with P = (A A^H + damping energy + noise)^-1, A the neighbourhoods as columns, the
    row that predicts element t from the others is -P_t / P_tt.

    Raises ValueError for an even kernel.
    Lustig and Pauly, MRM 2010;64:457. doi:10.1002/mrm.22428
    """
    if kernel % 2 == 0 or kernel < 1:
        raise ValueError(f"kernel is {kernel}, expected an odd number")
    n_coils, *lengths = block.shape[-4:]
    size = [min(kernel, length - 1 + length % 2) for length in lengths]
    points = prod(size)
    flat = block.reshape(-1, *block.shape[-4:])
    made = flat.new_empty((len(flat), n_coils, n_coils * points))
    centres = torch.arange(n_coils, device=block.device) * points + points // 2
    for index, patches in enumerate(flat):
        for axis, width in enumerate(size, start=1):
            patches = patches.unfold(axis, width, 1)
        columns = patches.permute(0, 4, 5, 6, 1, 2, 3).flatten(4).flatten(0, 3)
        gram = (columns @ columns.mH).to(torch.complex128)
        energy = gram.diagonal().real.mean()
        ridge = damping * energy
        if matrix is not None:
            ridge = ridge + noise_beyond(columns.unflatten(1, (-1, patches.shape[3])), lengths, matrix)
        gram.diagonal().add_(torch.where(energy > 0, ridge, 1))
        rows = torch.linalg.inv(gram)[centres]
        own = torch.arange(n_coils, device=block.device), centres
        rows = -rows / rows[own][:, None]
        rows[own] = 0
        made[index] = rows.to(block.dtype)
    return made.reshape(*block.shape[:-4], n_coils, n_coils, *size)


def image_matrices(kernels: Tensor, matrix: tuple[int, int, int]) -> Tensor:
    """The convolution by g (*other, coil, coil, d2, d1, d0) as matrices of coils, (*other, coil, coil, z, y, x).

    G_cj(r) = sum_d g_cj(d) exp(-2 pi i d r / N): k-space goes round at its borders.
    """
    padded = kernels.new_zeros((*kernels.shape[:-3], *matrix))
    d2, d1, d0 = (
        slice(length // 2 - width // 2, length // 2 - width // 2 + width)
        for length, width in zip(matrix, kernels.shape[-3:], strict=True)
    )
    padded[..., d2, d1, d0] = kernels
    return fft(padded, (-3, -2, -1)) * prod(matrix) ** 0.5
