"""What is true of every method."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from gadgets.mri.fft import ifft
from gadgets.mri.kspace import KSpace
from gadgets.mri.methods import create, find, names
from gadgets.mri.operators.encoding import encoding
from gadgets.mri.phantom.scan import cartesian, coil_maps
from gadgets.mri.quality.errors import nrmse
from gadgets.mri.quality.support import support
from tests.support.models import untrained
from tests.support.radial_scan import coil_images, radial_scan, trajectory

# Methods for series of images take the last axis before the coils as time.
SERIES = {"Grasp", "LocallyLowRank", "LowRankPlusSparse", "PartiallySeparable"}
# Methods for k-space along a trajectory, and those among them that take Cartesian k-space too.
BOTH = {"cg_sense", "coggen_dip", "coggen_inr", "deep_image_prior", "inr", "unroll_inr", "zs_ssl"}
TRAJECTORIES = BOTH | {"grasp", "gridding"}
# Methods that are fitted to a scan by many iterations obey all laws but one after any number of them: here, after few.
FEW = {"iterations": 4}
SOME = {"iterations": 100}
SIZE = {"cartesian": (45, 48), "radial": (48, 48)}


@pytest.fixture(scope="module")
def cartesian_slices():
    """Two slices of the phantom, fully sampled, with sizes that are odd and even."""
    planes = [cartesian((48, 45, 1), coils=6, slice_index=index) for index in (0, 8)]
    return KSpace.from_data(torch.from_numpy(np.stack(planes)))


@pytest.fixture(scope="module")
def radial_slices():
    """The same along spokes that are less than a cell apart everywhere."""
    return radial_scan(trajectory(spokes=76, size=48), 48, slices=(0, 8))


@pytest.fixture(
    params=[(name, "cartesian") for name in names() if name not in TRAJECTORIES - BOTH]
    + [(name, "radial") for name in sorted(TRAJECTORIES)],
    ids=" ".join,
)
def case(request):
    """A method, and the kind of sampling."""
    return request.param


@pytest.fixture
def method(case, tmp_path):
    """The method, with weights that were never trained where it needs some: its networks then change nothing."""
    network = getattr(find(case[0]), "network", None)
    if is_fitted(find(case[0])):
        return create(case[0], FEW)
    return create(case[0], {} if network is None else {"model": str(untrained(case[0], network, tmp_path))})


@pytest.fixture
def scan(method, case, request):
    """Two slices, or two short series where the method takes series."""
    slices = request.getfixturevalue(f"{case[1]}_slices")
    if type(method).__name__ not in SERIES:
        return slices
    series = torch.stack([slices.data] * (16 if case[1] == "cartesian" else 4), dim=1)
    if slices.trajectory is None:
        return KSpace.from_data(series)
    return replace(slices, data=series, mask=slices.mask[None], trajectory=slices.trajectory[None])


def is_fitted(method):
    """Whether a method is fitted to each scan anew."""
    return hasattr(method, "fitted")


def reconstruct(method, kspace):
    return method(kspace, method.calibrate(kspace))


def alone_in(scan, index):
    """One slice of a scan; what all slices share has length 1 along them."""

    def one(x):
        return x if x is None else x[index if len(x) > 1 else 0]

    return replace(scan, data=scan.data[index], mask=one(scan.mask), trajectory=one(scan.trajectory))


def test_a_fully_sampled_phantom_comes_out_right(method, case, scan, cartesian_slices):
    if is_fitted(method) and case[1] == "radial":
        # Along spokes that are denser in the middle, residuals say nothing of the image.
        return
    method = replace(method, **SOME) if is_fitted(method) else method
    image = reconstruct(method, scan)
    assert image.shape == (*scan.other, 1, 1, *SIZE[case[1]])
    assert image.dtype == torch.complex64
    if case[1] == "cartesian":
        coils = ifft(scan.data, (-3, -2, -1)).numpy()
    else:
        alone = coil_images(48, slices=(0, 8)).numpy()
        coils = alone if len(scan.other) == 1 else np.repeat(alone[:, None], scan.other[1], axis=1)
    energy = np.sqrt((np.abs(coils) ** 2).sum(axis=-4, keepdims=True))
    # Combined with normalised maps, intensity is the root sum of squares, but for the Cartesian cut of k-space, before
    # which maps act: true ones miss it by as much. Estimated ones may add as much again in quadrature.
    cut = ifft(cartesian_slices.data, (-3, -2, -1)).numpy()
    maps = coil_maps((48, 45, 1), coils=6)
    combined = np.abs((maps.conj() * cut).sum(axis=-4)) / np.linalg.norm(maps, axis=0)
    squares = np.linalg.norm(cut, axis=-4)
    limit = 2**0.5 * nrmse(combined, squares, support(squares))
    calibration = method.calibrate(scan)
    if is_fitted(method) and calibration is not None:
        # Of all samples and normalised maps, ||F S x - y|| is ||x - truth||: a fit misses the truth by its residual.
        # That is below what an image of low resolution leaves, or else nothing was learned.
        residual = float((encoding(scan, calibration)(image) - scan.data).norm() / scan.data.norm())
        outer = scan.data.clone()
        outer[..., 45 // 2 - 45 // 8 : 45 // 2 + 45 // 8, 24 - 6 : 24 + 6] = 0
        assert residual < outer.norm() / scan.data.norm()
        limit += residual
    assert nrmse(image.abs().numpy(), energy, support(energy)) < limit


def test_scales_with_its_input(method, case, scan):
    image = reconstruct(method, scan)
    # Powers of two round alike: around a smooth object, rounding decides what maps are.
    # Where many steps follow upon each other, they differ after each rounding.
    exact = case[1] == "radial" or is_fitted(method)
    for factor in (1e-6, 3.0, 1e4) if not exact else (2.0**-20, 4.0, 2.0**13):
        scaled = reconstruct(method, replace(scan, data=factor * scan.data))
        torch.testing.assert_close(scaled / factor, image, rtol=1e-3, atol=1e-4 * float(image.abs().max()))


def test_treats_slices_alike(method, scan):
    together = reconstruct(method, scan)
    for index in range(2):
        alone = reconstruct(method, alone_in(scan, index))
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
        method(replace(scan, data=data), calibration)


def test_maps_of_other_shape_are_refused_with_both(method, case, scan):
    matrix = ", ".join(map(str, SIZE[case[1]]))
    calibration = method.calibrate(scan)
    if calibration is None:
        return
    fewer = replace(scan, data=scan.data[..., :4, :, :, :])
    with pytest.raises(ValueError, match=rf"6, 1, {matrix}\).*4, 1, {matrix}\)"):
        method(fewer, calibration)


def test_two_sets_of_maps_are_refused_where_one_is_expected(method, scan):
    calibration = method.calibrate(scan)
    if not isinstance(calibration, torch.Tensor) or calibration.shape[-4] != scan.n_coils:
        return
    with pytest.raises(ValueError, match=r"csm has shape \(.*12, |csm holds 2 sets"):
        method(scan, torch.cat([calibration, calibration], dim=-4))


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


def test_the_other_kind_of_sampling_is_refused_with_the_reason(case, method, cartesian_slices, radial_slices):
    name, kind = case
    if name in BOTH:
        return
    other, words = (
        (radial_slices, "trajectory") if kind == "cartesian" else (cartesian_slices, "trajectory, but .* is Cartesian")
    )
    with pytest.raises(ValueError, match=f"{name} .*{words}"):
        method(other, torch.zeros(2, 6, 1, *other.image_matrix[1:], dtype=torch.complex64))
