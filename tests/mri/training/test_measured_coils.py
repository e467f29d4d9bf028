"""Coils out of scans: where there was an object they are those of the scan, and beyond they go on smoothly."""

import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from gadgets.inputs.raw import kspaces, to_image
from gadgets.mri.training.anatomy import anatomy
from gadgets.mri.training.coils import coil_ring
from gadgets.mri.training.dataset import Generated, Simulated
from gadgets.mri.training.measured_coils import measured_coils, measured_maps
from gadgets.mri.training.simulation import Simulation


@pytest.fixture
def random():
    return np.random.default_rng(0)


@pytest.fixture
def scan(random):
    """K-space of known coils with some noise, the coils, and where the object is."""
    csm = coil_ring(6, (96, 96), random)
    image = np.pad(anatomy((72, 72), random), 12)
    full = np.fft.fftshift(np.fft.fft2(np.fft.ifftshift(csm * image, (-2, -1)), norm="ortho"), (-2, -1))
    noise = random.standard_normal((2, *full.shape)) * 0.003
    return full + noise[0] + 1j * noise[1], csm, image > 0.1


def likeness(a, b):
    """|sum_c conj(a_c) b_c| of normalised maps: 1 where they are the same but for their common phase."""
    return np.abs((a.conj() * b).sum(axis=0))


def test_maps_are_those_of_the_scan_and_go_on_beyond_the_object(scan):
    kspace, csm, inside = scan
    maps = measured_maps(kspace)
    assert maps.shape == (6, 48, 48) and maps.dtype == np.complex64
    np.testing.assert_allclose((np.abs(maps) ** 2).sum(axis=0), 1, rtol=1e-5)
    like = likeness(maps, csm[:, ::2, ::2])
    within = inside[::2, ::2]
    assert np.median(like[within]) > 0.99
    # Beyond, no scan knows; as smooth as the coils themselves, and for the most part not far from them.
    assert np.median(like[~within]) > 0.9
    steps = 1 - likeness(maps[:, 1:], maps[:, :-1])
    assert steps.max() < 3 * (1 - likeness(csm[:, 2::2, ::2], csm[:, :-2:2, ::2])).max()


def test_the_centre_of_a_scan_is_enough(scan):
    kspace, csm, inside = scan
    sampled = kspace.copy()
    sampled[:, [line for line in range(96) if not 36 <= line < 60 and line % 3]] = 0
    assert np.median(likeness(measured_maps(sampled), csm[:, ::2, ::2])[inside[::2, ::2]]) > 0.99


def test_no_scan_has_no_maps():
    with pytest.raises(ValueError, match="the centre of k-space"):
        measured_maps(np.zeros((2, 16, 16), np.complex64))


@pytest.mark.parametrize("coils, matrix", [(1, (32, 32)), (4, (40, 64)), (6, (128, 96))])
def test_other_scans_have_some_of_the_coils(coils, matrix, scan, random):
    maps = measured_maps(scan[0])
    made = measured_coils(maps, coils, matrix, random)
    assert made.shape == (coils, *matrix) and made.dtype == np.complex64
    np.testing.assert_allclose((np.abs(made) ** 2).sum(axis=0), 1, rtol=1e-5)
    assert not np.allclose(made, measured_coils(maps, coils, matrix, random))


def test_coils_that_the_scan_has_not_are_refused(random):
    with pytest.raises(ValueError, match="coils is 3, expected 1 to 2"):
        measured_coils(np.ones((2, 8, 8), np.complex64), 3, (8, 8), random)


def test_a_share_of_scans_has_measured_coils():
    """Maps of a single sign cannot come from a ring whose coils each have a phase of their own in every point."""
    maps = np.full((4, 8, 8), 0.5, np.complex64)
    shared = {"matrix": (16, 16), "acceleration": (2, 2), "centre": (8, 8), "estimated": 0, "mixing": 0}

    def flat(coils, share):
        simulation = Simulation(coils=(coils, coils), measured=share, **shared)
        scans = Simulated(Generated(4, 0, size=32), simulation, batches=1, batch=24, seed=0, maps=[maps])
        return float((scans[0].csm.abs().std(dim=(-2, -1)) < 1e-5).all(dim=1).float().mean())

    assert flat(3, 1.0) == 1 and flat(3, 0.0) == 0
    # Of 24 scans, a half to within three deviations.
    assert 0.2 < flat(3, 0.5) < 0.8
    # No scan has so many.
    assert flat(6, 1.0) == 0


def test_measured_coils_need_maps():
    with pytest.raises(ValueError, match="there are no maps of real scans"):
        Simulated(Generated(4, 0), Simulation(measured=0.5), batches=1, batch=1, seed=0)


@pytest.mark.data
def test_maps_of_a_real_scan_explain_it(data_dir):
    """Unfolding full sampling with the maps, and folding again, leaves the coil images where there is signal."""
    (kspace,) = kspaces([data_dir / "mrd" / "phantom_gre_3T_16ch_full.h5"])
    coil_images = to_image(kspace)[:, 1::8, 1::8]
    at = np.arange(1, 128, 8) * 48 / 128
    assert coil_images.shape == (16, 16, 16)
    places = np.stack(np.meshgrid(at, at, indexing="ij"))
    maps = np.stack([map_coordinates(one, places, order=3, mode="nearest") for one in measured_maps(kspace)])
    maps /= np.sqrt((np.abs(maps) ** 2).sum(axis=0))
    left = coil_images - maps * (maps.conj() * coil_images).sum(axis=0)
    size = np.sqrt((np.abs(coil_images) ** 2).sum(axis=0))
    bright = size > 0.3 * size.max()
    errors = np.sqrt((np.abs(left) ** 2).sum(axis=0))[bright] / size[bright]
    assert np.median(errors) < 0.1
