"""Principal vectors of Hermitian matrices, and their phase."""

from __future__ import annotations

import torch
from torch import Tensor

# Residual, of the eigenvalue, below which single precision has no further step: a hundred roundings.
_ARRIVED = 1e-5


def reference_coil(images: Tensor) -> Tensor:
    """Principal component of the channels over a whole image: (*other, coil), of unit length.

    images: (*other, coil, z, y, x), in image space or in k-space. The first channel that has half the magnitude of the
    largest, or more, is real and positive. (Several can be the largest but for rounding.)
    """
    channels = images.flatten(-3)
    vectors = torch.linalg.eigh(channels @ channels.mH).eigenvectors[..., -1]
    sizes = vectors.abs()
    first = (sizes >= sizes.amax(dim=-1, keepdim=True) / 2).to(torch.uint8).argmax(dim=-1, keepdim=True)
    chosen = vectors.gather(-1, first)
    return vectors * chosen.conj() / chosen.abs()


def principal_vectors(matrices: Tensor, iterations: int) -> tuple[Tensor, Tensor]:
    """Largest eigenvalue's eigenvector (coil, point), and its share of the trace (point,), by power iteration.

    matrices: Hermitian, positive semidefinite, (coil, coil, point): points last, so that many small products are few
    long ones. Begins with the column of the largest diagonal element, which no eigenvector of a large eigenvalue is
    orthogonal to. Where a matrix is zero, both results are zero.
    """
    vectors = _strongest_column(matrices)
    powers = matrices.diagonal(dim1=0, dim2=1).real
    values = torch.zeros_like(powers[:, 0])
    for _ in range(iterations):
        vectors, values = normalised((matrices * vectors).sum(dim=1))
    trace = powers.sum(dim=-1)
    return vectors, torch.where(trace > 0, values / torch.where(trace > 0, trace, 1), 0)


def leading_vectors(matrices: Tensor, iterations: int, count: int = 1) -> tuple[Tensor, Tensor]:
    """Eigenvectors (count, coil, point) of the largest eigenvalues, and these (count, point), the largest first.

    matrices: as for `principal_vectors`, of eigenvalues about 1 or less. By conjugate gradients for the Rayleigh
    quotient. Where the second eigenvalue is 1 - g times the first, n steps near the end leave about exp(-2 n sqrt(g))
    of the error, where n of power iteration leave exp(-n g) for half the work. Points that have arrived rest.
    The second vector is the first of what is left when the first is taken out of the matrix, and so on.
    Knyazev, SIAM J Sci Comput 2001;23:517. doi:10.1137/S1064827500366124
    """
    vectors, values = [], []
    for index in range(count):
        vector, value = _leading_vector(matrices, iterations)
        vectors.append(vector)
        values.append(value)
        if index + 1 < count:
            matrices = matrices - (value * vector)[:, None] * vector.conj()
    return torch.stack(vectors), torch.stack(values)


def _leading_vector(matrices: Tensor, iterations: int) -> tuple[Tensor, Tensor]:
    """As `leading_vectors`, of one: (coil, point) and (point,). x is the vector, y = P x, p the direction, q = P p."""
    x = _strongest_column(matrices)
    y = (matrices * x).sum(dim=1)
    value = _dot(x, y)
    tiny = torch.finfo(value.dtype).tiny
    p, last, before = torch.zeros_like(x), torch.zeros_like(x), torch.ones_like(value)
    for _ in range(iterations):
        residual = torch.addcmul(y, x, value.to(x.dtype), value=-1)
        size = _energy(residual)
        # Polak and Ribiere: where the last direction was of little use, the next begins anew.
        keep = ((size - _dot(last, residual)) / before.clamp_min(tiny)).clamp_min(0)
        p = torch.addcmul(residual, p, keep.to(x.dtype))
        p = torch.addcmul(p, x, (x.conj() * p).sum(dim=0), value=-1)
        last, before = residual, size
        length = _energy(p).clamp_min(tiny)
        # Directions have the residual in them and are no shorter, unless both are rounding along x, as with one coil.
        moves = (size > (_ARRIVED * value).square()) & (2 * length > size)
        q = (matrices * p).sum(dim=1)
        # The best of the plane of x and p: p^H P x = |residual|^2, as the last step left no residual along p.
        along = _dot(p, q) / length
        half = (value - along) / 2
        rise = half + torch.sqrt(half.square() + size.square() / length)
        step = torch.where(moves, size / length / rise.clamp_min(tiny), 0)
        shrink = torch.rsqrt(1 + step.square() * length).to(x.dtype)
        value = torch.where(step > 0, along + rise, value)
        x = torch.addcmul(x, p, step.to(x.dtype)) * shrink
        y = torch.addcmul(y, q, step.to(x.dtype)) * shrink
    return x, value


def fix_phase(vectors: Tensor, reference: Tensor) -> Tensor:
    """Vectors (coil, point) such that sum_c conj(reference_c) v_c is real and not negative."""
    overlap = reference.conj() @ vectors
    size = overlap.abs()
    return vectors * torch.where(size > 0, overlap.conj() / torch.where(size > 0, size, 1), 1)


def normalised(vectors: Tensor) -> tuple[Tensor, Tensor]:
    """Unit vectors (coil, point) and their lengths (point,); zero stays zero."""
    length = torch.linalg.vector_norm(vectors, dim=0)
    return vectors / torch.where(length > 0, length, 1), length


def _strongest_column(matrices: Tensor) -> Tensor:
    """The column of the largest diagonal element, of unit length: (coil, point)."""
    strongest = matrices.diagonal(dim1=0, dim2=1).real.argmax(dim=-1)
    return normalised(matrices.gather(1, strongest.expand(len(matrices), 1, -1)).squeeze(1))[0]


def _dot(a: Tensor, b: Tensor) -> Tensor:
    """Re a^H b of vectors (coil, point)."""
    return (a.conj() * b).sum(dim=0).real


def _energy(vectors: Tensor) -> Tensor:
    """|v|^2 of vectors (coil, point)."""
    return torch.view_as_real(vectors).square().sum(dim=(0, -1))
