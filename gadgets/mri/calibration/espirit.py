"""Sensitivities from the linear dependence of neighbouring samples of k-space."""

from __future__ import annotations

import torch
from torch import Tensor

from gadgets.mri.calibration.eigen import fix_phase, leading_vectors, reference_coil

# Points times coils squared that are worked on at once. A processor has 2 MB of complex64 in its cache through all
# iterations; an accelerator wants long work.
_CHUNK = {"cpu": 1 << 18}
_LONG_CHUNK = 1 << 24

# Virtual channels of less than this share of the strongest one's amplitude are left out.
_NEGLIGIBLE = 0.003

# Overlapping patches are not independent, which widens the spectrum of noise; in energy.
_MARGIN = 1.2**2


def espirit(
    block: Tensor,
    matrix: tuple[int, int, int],
    *,
    sets: int = 1,
    kernel: int = 6,
    threshold: float = 0.01,
    iterations: int = 10,
) -> tuple[Tensor, Tensor]:
    """Maps (*other, set * coil, *matrix) from the calibration region, and their eigenvalues (*other, set, *matrix).

    block: (*other, coil, k2, k1, k0), the fully sampled centre of k-space. Patches of `kernel` points per axis (fewer
    where an axis of the block is shorter), all coils together, lie in a space V of few dimensions: that of the singular
    values above `threshold` times the largest, and above what noise alone can reach. K-space s with all its patches in
    V fulfils

        s = W s,  W = M^-1 sum_a R_a^H V V^H R_a,

    R_a taking the patch at a, of M points. W is a convolution, so in image space it is a matrix P(r) of coils at each
    point, with eigenvalues from 0 to 1; coil images x(r) csm(r) are unchanged by it, so csm(r) is its eigenvector of
    eigenvalue 1. Where there is no object, or where one map does not explain the coils, the largest is below 1. Where
    the object folds onto itself there are several of eigenvalue 1: the `sets` leading ones, largest first.

    The phase of each set is such that sum_c conj(u_c) csm_c is real and not negative, u being the principal component
    of the channels over the region. sum_coil |csm|^2 = 1 for each set, and sets are orthogonal.

    Raises ValueError for sets below 1 or above the number of channels.
    Uecker et al., MRM 2014;71:990. doi:10.1002/mrm.24751
    """
    n_coils = block.shape[-4]
    if not 1 <= sets <= n_coils:
        raise ValueError(f"sets is {sets}, expected 1 to {n_coils}, the number of channels")
    flat = block.reshape(-1, *block.shape[-4:])
    # Singular values are relative; squares of small intensities would be lost in single precision.
    peak = flat.abs().amax(dim=(-4, -3, -2, -1), keepdim=True)
    flat = flat / torch.where(peak > 0, peak, 1)
    csm = flat.new_zeros((len(flat), sets, n_coils, *matrix))
    values = csm.new_zeros((len(flat), sets, *matrix), dtype=csm.real.dtype)
    for index, one in enumerate(flat):
        # The work grows with the square of the channels and more; virtual ones without signal have no part in it.
        virtual = _virtual_channels(one, sets)
        rotated = torch.einsum("vc,czyx->vzyx", virtual, one)
        maps = csm.new_zeros((sets, len(virtual), *matrix))
        _fill(_convolution(rotated, kernel, threshold), virtual @ reference_coil(one), iterations, maps, values[index])
        csm[index] = torch.einsum("vc,svzyx->sczyx", virtual.conj(), maps)
    other = block.shape[:-4]
    return csm.reshape(*other, sets * n_coils, *matrix), values.reshape(*other, sets, *matrix)


def _virtual_channels(block: Tensor, at_least: int) -> Tensor:
    """Orthonormal rows (virtual, coil): principal components that are not negligible against the first."""
    channels = block.flatten(1)
    energies, vectors = torch.linalg.eigh(channels @ channels.mH)
    count = max(at_least, int((energies >= _NEGLIGIBLE**2 * energies[-1]).sum()))
    return vectors[:, -count:].mH


def _convolution(block: Tensor, kernel: int, threshold: float) -> Tensor:
    """W as a convolution h (coil, coil, d2, d1, d0): (W s)_i(k) = sum_j,d h_ij(d) s_j(k + d), d from 1 - size up."""
    n_coils, *lengths = block.shape
    size = [min(kernel, length) for length in lengths]
    patches = block
    for axis, width in enumerate(size, start=1):
        patches = patches.unfold(axis, width, 1)
    patches = patches.permute(0, 4, 5, 6, 1, 2, 3).reshape(n_coils * size[0] * size[1] * size[2], -1)
    space = _signal_space(patches, threshold)
    projection = (space @ space.mH).reshape(n_coils, *size, n_coils, *size)
    h = block.new_zeros((n_coils, n_coils, *(2 * width - 1 for width in size)))
    for a in range(size[0]):
        for b in range(size[1]):
            for c in range(size[2]):
                # Row o = (a, b, c) of the projection: its column o' stands at d = o' - o, in h at o' + size - 1 - o.
                d2, d1, d0 = (slice(w - 1 - o, 2 * w - 1 - o) for o, w in zip((a, b, c), size, strict=True))
                h[..., d2, d1, d0] += projection[:, a, b, c]
    return h / (size[0] * size[1] * size[2])


def _signal_space(patches: Tensor, threshold: float) -> Tensor:
    """V: orthonormal columns that span the patches (point, patch) but for noise."""
    # Of patches patches^H and patches^H patches the smaller has all energies.
    wide = patches.shape[1] >= patches.shape[0]
    energies, vectors = torch.linalg.eigh(patches @ patches.mH if wide else patches.mH @ patches)
    energies = energies.clamp_min(0)  # rounding leaves some below
    floor = _noise_edge(energies, *patches.shape)
    signal = energies > torch.maximum(threshold**2 * energies[-1], floor)
    space = vectors[:, signal]
    return space if wide else patches @ (space / energies[signal].sqrt())


def _noise_edge(energies: Tensor, n_points: int, n_patches: int) -> Tensor:
    """Energy that noise alone does not reach, from the squared singular values of patches (point, patch).

    Of n patches of m points of white noise, the energies end at (sqrt(n) + sqrt(m))^2 s^2 (Marchenko and Pastur), and
    all together they are n m s^2. s is taken from what lies below the edge, again and again until it holds.
    """
    ratio = (n_points**0.5 + n_patches**0.5) ** 2 / n_patches
    edge = energies[-1]
    for _ in range(50):
        edge = _MARGIN * ratio * energies.where(energies <= edge, 0).sum() / (n_points - (energies > edge).sum())
    return edge


def _fill(convolution: Tensor, reference: Tensor, iterations: int, csm: Tensor, values: Tensor) -> None:
    """Write maps (set, coil, z, y, x) and eigenvalues (set, z, y, x).

    They are those of P_ij(r) = sum_d h_ij(d) exp(-2 pi i d r / N).
    """
    sets, n_coils, *lengths = csm.shape
    waves = [_waves(width, length, csm) for width, length in zip(convolution.shape[2:], lengths, strict=True)]
    i, j = torch.tril_indices(n_coils, n_coils, device=csm.device)
    along_x = convolution[i, j] @ waves[2]
    rows = max(1, _CHUNK.get(csm.device.type, _LONG_CHUNK) // (n_coils**2 * lengths[2]))
    for z in range(lengths[0]):
        plane = torch.einsum("pabx,a->pbx", along_x, waves[0][:, z])
        for y in range(0, lengths[1], rows):
            flat = torch.einsum("pbx,by->pyx", plane, waves[1][:, y : y + rows]).flatten(1)
            matrices = flat.new_empty((n_coils, n_coils, flat.shape[1]))
            matrices[j, i] = flat.conj()
            matrices[i, j] = flat
            vectors, found = leading_vectors(matrices, iterations, sets)
            there = values[:, z, y : y + rows]
            there[...] = found.reshape(there.shape)
            for index, vector in enumerate(vectors):
                csm[index, :, z, y : y + rows] = fix_phase(vector, reference).reshape(n_coils, *there.shape[1:])


def _waves(width: int, length: int, like: Tensor) -> Tensor:
    """exp(-2 pi i d r / length), (width, length): d and r counted from the centre of their axes."""
    d = torch.arange(width, device=like.device) - width // 2
    r = torch.arange(length, device=like.device) - length // 2
    turns = (d[:, None] * r % length).to(torch.float64) / length
    return torch.exp(-2j * torch.pi * turns).to(like.dtype)
