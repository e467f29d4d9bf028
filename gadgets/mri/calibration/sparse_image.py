"""The image that is sparsest in wavelets."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from gadgets.mri.calibration.intensity import intensity
from gadgets.mri.operators.encoding import EncodingOp
from gadgets.mri.operators.non_uniform_encoding import NonUniformEncodingOp
from gadgets.mri.priors.wavelet_l1 import Moves, WaveletL1
from gadgets.mri.solvers.cg import cg
from gadgets.mri.solvers.fista import fista

# Iterations of least squares that give the first image: aliasing is mostly gone, noise not yet amplified.
_LEAST_SQUARES = 5


def sparse_image(
    operator: EncodingOp | NonUniformEncodingOp,
    rhs: Tensor,
    *,
    regularisation: float = 0.005,
    iterations: int = 40,
    levels: int = 3,
    wavelet: Literal["haar", "daubechies4"] = "daubechies4",
) -> Tensor:
    """argmin_x ||A x - y||^2 / 2 + regularisation s mean_t ||W_t x||_1 (*other, set, z, y, x), from rhs = A^H y.

    By FISTA, W_t orthogonal wavelets moved by t; s is the intensity of the object in a first image by least squares.
    Each iteration moves the wavelets' blocks by another shift t, in random order but the same in each call. An iterate
    leans to the last few t. So the last of the `iterations` is a step without momentum to the mean of the images that
    2^levels shifts lead to.
    Lustig, Donoho and Pauly, MRM 2007;58:1182. doi:10.1002/mrm.21391
    """
    gram = operator.gram
    volumes = range(rhs.ndim - 4)
    start = cg(gram, rhs, iterations=_LEAST_SQUARES, batch_dims=volumes).x
    sparsity = WaveletL1(
        weight=regularisation * intensity(start),
        levels=levels,
        wavelet=wavelet,
        moves=Moves(levels, torch.Generator().manual_seed(0)),
    )
    step = 1 / operator.bound

    def gradient(x: Tensor) -> Tensor:
        return gram(x) - rhs

    image = fista(
        gradient,
        sparsity,
        start,
        step=step,
        iterations=iterations - 1,
        # Between two shifts the prior is another one, and where momentum points says nothing.
        restart=False,
        batch_dims=volumes,
    ).x
    return sparsity.mean_prox(image - step * gradient(image), step)
