"""K-space of a real object under a smooth phase, seen by coils: what partial Fourier methods assume."""

import torch

from gadgets.mri.fft import fft
from gadgets.mri.kspace import KSpace
from gadgets.mri.phantom.scan import coil_maps, truth


def smooth_phase(n=64, coils=8):
    """K-space (coil, 1, n, n), and the magnitude (1, 1, n, n) of its image."""
    maps = torch.from_numpy(coil_maps((n, n, 1), coils=coils))
    y, x = torch.linspace(-1, 1, n)[:, None], torch.linspace(-1, 1, n)
    phase = torch.exp(1j * (1.5 * y + 2 * x**2 - x * y)).to(torch.complex64)
    image = torch.from_numpy(truth((n, n, 1))).real
    return fft(maps / maps.norm(dim=0) * image * phase, (-3, -2, -1)), image.abs()[None]


def part(data, k1=slice(None), k0=slice(None)):
    """What remains of k-space where only a part of each axis was acquired."""
    mask = torch.zeros(1, *data.shape[-3:], dtype=torch.bool)
    mask[:, :, k1, k0] = True
    return KSpace(data=data * mask, mask=mask)
