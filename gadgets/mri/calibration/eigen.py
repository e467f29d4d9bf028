"""Principal vectors of Hermitian matrices, and their phase."""

from __future__ import annotations

import torch
from torch import Tensor


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
    powers = matrices.diagonal(dim1=0, dim2=1).real
    strongest = powers.argmax(dim=-1)
    vectors = matrices.gather(1, strongest.expand(len(matrices), 1, -1)).squeeze(1)
    vectors, _ = normalised(vectors)
    values = torch.zeros_like(powers[:, 0])
    for _ in range(iterations):
        vectors, values = normalised((matrices * vectors).sum(dim=1))
    trace = powers.sum(dim=-1)
    return vectors, torch.where(trace > 0, values / torch.where(trace > 0, trace, 1), 0)


def fix_phase(vectors: Tensor, reference: Tensor) -> Tensor:
    """Vectors (coil, point) such that sum_c conj(reference_c) v_c is real and not negative."""
    overlap = reference.conj() @ vectors
    size = overlap.abs()
    return vectors * torch.where(size > 0, overlap.conj() / torch.where(size > 0, size, 1), 1)


def normalised(vectors: Tensor) -> tuple[Tensor, Tensor]:
    """Unit vectors (coil, point) and their lengths (point,); zero stays zero."""
    length = torch.linalg.vector_norm(vectors, dim=0)
    return vectors / torch.where(length > 0, length, 1), length
