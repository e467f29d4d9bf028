"""How far a reconstruction is from the truth, or from samples that it has not seen."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from gadgets.mri.kspace import KSpace
from gadgets.mri.operators.encoding import encoding

Loss = Callable[[Tensor, Tensor], Tensor]


def magnitude(x: Tensor) -> Tensor:
    """|x|, with a slope of 0 where |x| is too small for a number of full precision, and x / |x| would not be one."""
    return torch.where(x.abs() < torch.finfo(x.dtype).smallest_normal, 0, x).abs()


def l1(image: Tensor, truth: Tensor) -> Tensor:
    """sum |image - truth| / sum |truth|, the mean over the slices of (*other, 1, z, y, x)."""
    return _mean_ratio(magnitude(image - truth), truth.abs())


def mse(image: Tensor, truth: Tensor) -> Tensor:
    """||image - truth||^2 / ||truth||^2, the mean over the slices."""
    return _mean_ratio(magnitude(image - truth).square(), truth.abs().square())


def psnr(image: Tensor, truth: Tensor) -> Tensor:
    """log(||image - truth|| / ||truth||), which falls as the peak signal-to-noise ratio rises; mean over the slices.

    A scan that is easy counts for as much as one that is hard: what matters is by which factor its error changes.
    """
    axes = (-4, -3, -2, -1)
    apart, size = (magnitude(x).square().sum(dim=axes) for x in (image - truth, truth))
    tiny = torch.finfo(size.dtype).smallest_normal
    return ((apart.clamp_min(tiny) / size.clamp_min(tiny)).log() / 2).mean()


def ssim(image: Tensor, truth: Tensor) -> Tensor:
    """1 - structural similarity of magnitudes, in windows of 7 x 7 pixels, relative to the largest of each truth.

    Wang et al., IEEE Trans Image Process 2004;13:600. doi:10.1109/TIP.2003.819861
    """
    a, b = (magnitude(x).movedim(-3, -4).reshape(-1, 1, *x.shape[-2:]) for x in (image, truth))
    peak = b.amax(dim=(-2, -1), keepdim=True)
    c1, c2 = (0.01 * peak) ** 2, (0.03 * peak) ** 2

    def mean(x: Tensor) -> Tensor:
        return avg_pool2d(x, 7, stride=1)

    mean_a, mean_b = mean(a), mean(b)
    # Unbiased variances of the 49 pixels of a window.
    unbiased = 49 / 48
    variance_a = unbiased * (mean(a * a) - mean_a**2)
    variance_b = unbiased * (mean(b * b) - mean_b**2)
    covariance = unbiased * (mean(a * b) - mean_a * mean_b)
    tiny = torch.finfo(a.dtype).tiny
    similarity = (2 * mean_a * mean_b + c1) * (2 * covariance + c2)
    return 1 - (similarity / ((mean_a**2 + mean_b**2 + c1) * (variance_a + variance_b + c2)).clamp_min(tiny)).mean()


#: Losses against a truth, by name.
LOSSES: dict[str, Loss] = {"l1": l1, "mse": mse, "psnr": psnr, "ssim": ssim}


def held_out(image: Tensor, kspace: KSpace, csm: Tensor) -> Tensor:
    """Error of the samples that `image` predicts: half of ||r|| / ||y|| and half of ||r||_1 / ||y||_1, r = P F S x - y.

    kspace holds samples that the reconstruction has not seen.
    Yaman et al., MRM 2020;84:3172. doi:10.1002/mrm.28378
    """
    residual, data = encoding(kspace, csm)(image) - kspace.data, kspace.data
    norm = torch.linalg.vector_norm
    return (norm(residual) / norm(data) + magnitude(residual).sum() / data.abs().sum()) / 2


def critic(values_of_made: Tensor, values_of_real: Tensor) -> Tensor:
    """mean psi(made) - mean psi(real): what a generator lowers; a critic raises it.

    Arjovsky, Chintala and Bottou, ICML 2017;70:214. arXiv:1701.07875
    """
    return values_of_made.mean() - values_of_real.mean()


def gradient_penalty(psi: Callable[[Tensor], Tensor], made: Tensor, real: Tensor, mix: Tensor) -> Tensor:
    """mean max(||grad psi|| - 1, 0)^2 at mix made + (1 - mix) real, mix in 0 to 1 for each slice.

    psi is per volume a mean over points, so its gradient is taken with respect to the mean square, for which 1 is the
    slope of a distance.
    Gulrajani et al., NeurIPS 2017. arXiv:1704.00028; one-sided: Lunz, Oktem and Schonlieb, NeurIPS 2018.
    arXiv:1805.11572
    """
    at = (mix * made + (1 - mix) * real).detach().requires_grad_()
    (slope,) = torch.autograd.grad(psi(at).sum(), at, create_graph=True)
    points = slope.shape[-1] * slope.shape[-2] * slope.shape[-3]
    size = (slope.abs().square().sum(dim=(-4, -3, -2, -1)) * points).sqrt()
    return (size - 1).clamp_min(0).square().mean()


def _mean_ratio(error: Tensor, size: Tensor) -> Tensor:
    axes = (-4, -3, -2, -1)
    total = size.sum(dim=axes)
    return (error.sum(dim=axes) / torch.where(total > 0, total, 1)).mean()
