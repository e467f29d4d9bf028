"""Locally low rank: frames of a series recover what each of them lacks."""

import numpy as np
import pytest
import torch

from gadgets.mri.fft import fft
from gadgets.mri.kspace import KSpace
from gadgets.mri.methods.cg_sense import CgSense
from gadgets.mri.methods.locally_low_rank import LocallyLowRank
from gadgets.mri.phantom.scan import coil_maps
from gadgets.mri.quality.errors import nrmse


def beating_disc(size=48, frames=16):
    """A ring whose radius goes up and down beside a body that rests, (time, 1, 1, y, x)."""
    y, x = torch.meshgrid(*[torch.arange(size) - size // 2] * 2, indexing="ij")
    radius = 6 + 2 * torch.sin(2 * torch.pi * torch.arange(frames) / frames)[:, None, None]
    body = ((x / 20) ** 2 + (y / 22) ** 2 < 1).float() * (0.5 + 0.01 * x)
    ring = torch.sigmoid(2 * (radius - (x**2 + y**2).sqrt()))
    return (body + 0.4 * ring)[:, None, None].to(torch.complex64)


def sampled(images, *, acceleration, coils=8, noise=0.01):
    """K-space of lines at random, other ones in each frame, denser in the centre."""
    frames, size = len(images), images.shape[-1]
    generator = torch.Generator().manual_seed(0)
    maps = torch.from_numpy(coil_maps((size, size, 1), coils=coils))
    data = fft(maps / maps.norm(dim=0) * images, (-3, -2, -1))
    data = data + noise * torch.randn(data.shape, dtype=data.dtype, generator=generator)
    density = 1 / (1 + (torch.arange(size) - size // 2).abs() / 8)
    mask = torch.zeros(frames, 1, 1, size, size, dtype=torch.bool)
    for frame in mask:
        frame[:, :, torch.multinomial(density, round(size / acceleration) - 2, generator=generator)] = True
        frame[:, :, size // 2 - 1 : size // 2 + 1] = True
    return KSpace(data=data * mask, mask=mask)


def gain(images, kspace):
    """By how many dB it is nearer to the truth than frames by themselves."""
    csm = LocallyLowRank().calibrate(kspace)
    assert csm.shape[0] == 1
    truth = images.abs().numpy()
    each = csm.expand(len(images), -1, -1, -1, -1)
    plain = min(nrmse(CgSense(damping=d)(kspace, each).abs().numpy(), truth) for d in (1e-3, 1e-2, 1e-1))
    return 20 * np.log10(plain / nrmse(LocallyLowRank()(kspace, csm).abs().numpy(), truth))


def test_moving_images_from_a_sixth_of_the_lines():
    images = beating_disc()
    assert gain(images, sampled(images, acceleration=6)) > 6


@pytest.mark.data
def test_a_heart_from_an_eighth_of_the_lines(data_dir):
    frames = torch.from_numpy(np.load(data_dir / "images" / "cardiac_cine_magnitude.npy"))
    heart = frames[:, 24:120, 24:120]
    phase = torch.exp(1j * torch.linspace(-1, 1, 96)[:, None] + 0.5j * torch.linspace(-1, 1, 96) ** 2)
    images = (heart / heart.max() * phase)[:, None, None].to(torch.complex64)
    assert gain(images, sampled(images, acceleration=8)) > 3.5


@pytest.mark.parametrize("axes", [(), (1,), (3, 1)])
def test_a_single_frame_is_refused(axes):
    one = torch.ones(*axes, 2, 1, 8, 8, dtype=torch.complex64)
    with pytest.raises(ValueError, match="locally_low_rank reconstructs series .* has a single frame"):
        LocallyLowRank()(KSpace.from_data(one), one)


def test_no_signal_and_wrong_settings():
    kspace = sampled(beating_disc(16, 4), acceleration=2)
    csm = LocallyLowRank().calibrate(kspace)
    silent = KSpace(data=torch.zeros_like(kspace.data), mask=kspace.mask)
    assert not LocallyLowRank()(silent, csm).any()
    with pytest.raises(ValueError, match="LocallyLowRank.regularisation is -1"):
        LocallyLowRank(regularisation=-1)
