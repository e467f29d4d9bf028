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
    """To a fifth: the least of 12 channels, seen in some hundreds of samples, is below their mean by 1 / 6."""
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


def test_along_spokes():
    scan = radial_scan(trajectory(spokes=60, size=64), 64, slices=(0, 8), coils=12)
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(scan.data.shape, dtype=torch.complex64, generator=generator)
    sigma = scan.data.abs().max() / 400
    found = noise_level(replace(scan, data=scan.data + sigma * 2**0.5 * noise))
    # The least of 12 channels, each seen in 768 samples at the ends of spokes.
    assert found.shape == (2,) and ((found / sigma - 1).abs() < 0.2).all()
