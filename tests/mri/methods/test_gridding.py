"""Gridding is the inverse Fourier transform of what was sampled densely."""

import pytest
import torch

from gadgets.mri.kspace import KSpace
from gadgets.mri.methods.gridding import Gridding
from gadgets.mri.operators.fourier import FourierOp
from gadgets.mri.quality.errors import nrmse
from tests.support.radial_scan import coil_images, radial_scan, trajectory


def energy(size):
    return coil_images(size).norm(dim=-4, keepdim=True).numpy()


def test_intensity_is_that_of_the_object_however_it_was_sampled():
    method, expected = Gridding(), energy(48)
    for spokes, golden in ((80, False), (160, False), (110, True)):
        kspace = radial_scan(trajectory(spokes=spokes, size=48, golden=golden), 48)
        assert nrmse(method(kspace, method.calibrate(kspace)).abs().numpy(), expected) < 0.01


def test_too_few_spokes_streak():
    """Aliasing of spokes begins where they are a cell apart: R-fold undersampling, at a radius of 1/R of the field."""
    method, expected = Gridding(), energy(48)
    errors = []
    for spokes in (80, 40, 20, 10):
        kspace = radial_scan(trajectory(spokes=spokes, size=48), 48)
        csm = method.calibrate(radial_scan(trajectory(spokes=80, size=48), 48))
        errors.append(nrmse(method(kspace, csm).abs().numpy(), expected))
    assert errors[3] > 2 * errors[2] > 4 * errors[1] and errors[3] > 0.2


def test_on_a_cartesian_trajectory_it_is_the_fourier_transform():
    k = torch.arange(16.0) - 8
    places = torch.stack(torch.meshgrid(torch.zeros(1), k, k, indexing="ij"))
    data = torch.randn(3, 1, 16, 16, dtype=torch.complex64)
    dcf, mask = torch.ones(1, 1, 1, 1), torch.ones(1, 1, 1, 1, dtype=torch.bool)
    kspace = KSpace(data=data, mask=mask, trajectory=places, dcf=dcf, grid=(1, 16, 16))
    csm = torch.randn(3, 1, 16, 16, dtype=torch.complex64)
    expected = (csm.conj() * FourierOp().H(data)).sum(dim=0, keepdim=True)
    torch.testing.assert_close(Gridding()(kspace, csm), expected, rtol=1e-4, atol=1e-4)


def test_cartesian_k_space_is_refused():
    kspace = KSpace.from_data(torch.randn(3, 1, 16, 16, dtype=torch.complex64))
    with pytest.raises(ValueError, match="gridding reconstructs k-space along a trajectory"):
        Gridding().calibrate(kspace)
    with pytest.raises(ValueError, match="gridding reconstructs k-space along a trajectory"):
        Gridding()(kspace, kspace.data)
