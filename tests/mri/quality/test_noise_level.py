"""The noise of k-space is seen in its corners."""

from dataclasses import replace

import pytest
import torch

from gadgets.mri.kspace import KSpace
from gadgets.mri.phantom.scan import cartesian
from gadgets.mri.quality.noise_level import noise_level
from tests.support.lattices import lattice_mask
from tests.support.radial_scan import radial_scan, trajectory


@pytest.mark.parametrize("sigma", [1e-6, 1.0, 30.0])
@pytest.mark.parametrize("step", [1, 3])
def test_under_a_phantom(sigma, step):
    """To a fifth: an energy is the median over some hundreds of samples, and their least channel has some signal."""
    signal = torch.from_numpy(cartesian((96, 96, 1), coils=12))
    noise = torch.randn(2, *signal.shape, dtype=torch.complex64, generator=torch.Generator().manual_seed(0))
    data = sigma * (400 * signal / signal.abs().max() + 2**0.5 * noise)
    mask = lattice_mask((1, 96, 96), (1, step))
    found = noise_level(KSpace(data=data * mask, mask=mask[None]))
    assert found.shape == (2,)
    assert ((found / sigma - 1).abs() < 0.2).all()


def test_a_single_coil():
    data = 2**0.5 * torch.randn(1, 1, 64, 64, dtype=torch.complex64, generator=torch.Generator().manual_seed(0))
    assert abs(float(noise_level(KSpace.from_data(data))) - 1) < 0.1


@pytest.mark.parametrize(("coils", "size"), [(4, 32), (12, 32), (32, 64)])
def test_of_noise_alone_the_least_channel_is_not_too_quiet(coils, size):
    """Found and judged in the same samples, it is: by sqrt(coils / samples), which is 0.2, 0.35 and 0.3 here."""
    generator = torch.Generator().manual_seed(0)
    data = 2**0.5 * torch.randn(20, coils, 1, size, size, dtype=torch.complex64, generator=generator)
    found = noise_level(KSpace.from_data(data))
    # The energy's median over 102 samples and more deviates by 0.14, its root by half of it, the mean of 20 by 0.016.
    assert abs(float(found.mean()) - 1) < 3 * 0.016


def test_along_spokes():
    scan = radial_scan(trajectory(spokes=60, size=64), 64, slices=(0, 8), coils=12)
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(scan.data.shape, dtype=torch.complex64, generator=generator)
    sigma = scan.data.abs().max() / 400
    found = noise_level(replace(scan, data=scan.data + sigma * 2**0.5 * noise))
    # Seen in 768 samples at the ends of spokes, where there is some signal.
    assert found.shape == (2,) and ((found / sigma - 1).abs() < 0.2).all()
