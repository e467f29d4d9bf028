"""What is true of every method."""

import numpy as np
import pytest
import torch

from gadgets.mri.fft import ifft
from gadgets.mri.kspace import KSpace
from gadgets.mri.methods import create, names
from gadgets.mri.phantom.scan import cartesian
from gadgets.mri.quality.errors import nrmse
from gadgets.mri.quality.support import support

# Methods for series of images take the last axis before the coils as time.
SERIES = {"LocallyLowRank", "LowRankPlusSparse", "PartiallySeparable"}


@pytest.fixture(scope="module")
def slices():
    """Two slices of the phantom, fully sampled, with sizes that are odd and even."""
    planes = [cartesian((48, 45, 1), coils=6, slice_index=index) for index in (0, 8)]
    return KSpace.from_data(torch.from_numpy(np.stack(planes)))


@pytest.fixture(params=names())
def method(request):
    return create(request.param)


@pytest.fixture
def scan(method, slices):
    """Two slices, or two short series where the method takes series."""
    if type(method).__name__ not in SERIES:
        return slices
    return KSpace.from_data(torch.stack([slices.data] * 16, dim=1))


def reconstruct(method, kspace):
    return method(kspace, method.calibrate(kspace))


def test_a_fully_sampled_phantom_comes_out_right(method, scan):
    image = reconstruct(method, scan)
    assert image.shape == (*scan.other, 1, 1, 45, 48)
    assert image.dtype == torch.complex64
    coils = ifft(scan.data, (-3, -2, -1)).numpy()
    energy = np.sqrt((np.abs(coils) ** 2).sum(axis=-4, keepdims=True))
    # Combined with normalised maps, intensity is the root sum of squares: within 0.009 with the true maps, as these act
    # before the cut of k-space. Estimated ones may add as much again in quadrature.
    assert nrmse(image.abs().numpy(), energy, support(energy)) < 0.0125


def test_scales_with_its_input(method, scan):
    image = reconstruct(method, scan)
    for factor in (1e-6, 3.0, 1e4):
        scaled = reconstruct(method, KSpace(data=factor * scan.data, mask=scan.mask))
        torch.testing.assert_close(scaled / factor, image, rtol=1e-3, atol=1e-4 * float(image.abs().max()))


def test_treats_slices_alike(method, scan):
    together = reconstruct(method, scan)
    for index in range(2):
        alone = reconstruct(method, KSpace(data=scan.data[index], mask=scan.mask[index]))
        torch.testing.assert_close(together[index], alone, rtol=1e-4, atol=1e-5 * float(alone.abs().max()))


def test_does_not_change_its_input(method, scan):
    before = scan.data.clone()
    reconstruct(method, scan)
    assert scan.data.equal(before)


def test_what_is_not_finite_is_refused_with_its_place(method, scan):
    calibration = method.calibrate(scan)
    data = scan.data.clone()
    data[(1, *[0] * (len(scan.other) - 1), 2, 0, 3, 4)] = complex("nan")
    with pytest.raises(ValueError, match="1 samples .* first at other0 1, .*coil 2, k2 0, k1 3, k0 4"):
        method(KSpace(data=data, mask=scan.mask), calibration)


def test_maps_of_other_shape_are_refused_with_both(method, scan):
    calibration = method.calibrate(scan)
    if calibration is None:
        return
    fewer = KSpace(data=scan.data[..., :4, :, :, :], mask=scan.mask)
    with pytest.raises(ValueError, match=r"6, 1, 45, 48\).*4, 1, 45, 48\)"):
        method(fewer, calibration)


def test_says_what_it_is(method):
    text = type(method).__doc__
    assert "doi:10." in text
    assert "(*other, 1, z, y, x)" in text
    assert repr(method).startswith(type(method).__name__ + "(")


def test_what_is_calibrated_ends_with_maps(method, scan):
    """Of them, gadgets know how bright a point is for the receivers."""
    calibration = method.calibrate(scan)
    if calibration is None:
        return
    energy = calibration[..., -scan.n_coils :, :, :, :].abs().square().sum(dim=-4)
    assert ((energy - 1).abs() < 1e-4)[energy > 0].all()
    assert (energy > 0).any()


def test_theory_says_that_full_data_lose_nothing(method, scan):
    if not hasattr(method, "unmixing"):
        return
    calibration = method.calibrate(scan)
    unmixing = method.unmixing(scan, calibration)
    image = method(scan, calibration)
    torch.testing.assert_close(unmixing(scan), image, rtol=1e-4, atol=1e-5 * float(image.abs().max()))
    g = unmixing.gfactor()
    assert ((g - 1).abs() < 1e-4)[g > 0].all()
    torch.testing.assert_close(unmixing.noise(), g)
