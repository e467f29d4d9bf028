"""The phantom as coils see it."""

import numpy as np
import pytest

from gadgets.mri.phantom.coils import sensitivity, weights
from gadgets.mri.phantom.scan import cartesian, coil_maps, sample, truth
from gadgets.mri.quality.errors import nrmse
from gadgets.mri.readout import crop_readout


def image(k):
    axes = (-3, -2, -1)
    return np.fft.fftshift(np.fft.ifftn(np.fft.ifftshift(k, axes=axes), axes=axes, norm="ortho"), axes=axes)


@pytest.mark.parametrize("matrix", [(128, 128, 1), (65, 64, 1), (64, 64, 40)])
def test_the_image_is_the_object_seen_by_the_coils(matrix):
    k = cartesian(matrix, coils=3)
    assert k.shape == (3, *matrix[::-1])
    assert k.dtype == np.complex64
    expected = coil_maps(matrix, coils=3) * truth(matrix)
    # Maps act before the cut of k-space, and here after it: they differ at edges, the less the finer the matrix.
    assert nrmse(image(k), expected) < 0.05


def test_intensities_are_those_of_the_head():
    picture = np.abs(truth((256, 256, 1))[0])
    # Grey matter beside the ventricles, 0.2, and air outside of the head, 0.
    assert np.median(picture[120:136, 122:134]) == pytest.approx(0.2, abs=0.02)
    assert picture[:, :10].max() < 0.02


@pytest.mark.parametrize(("matrix", "three"), [((16, 15, 1), False), ((8, 9, 6), True)])
def test_the_grid_is_a_case_of_any_places(matrix, three):
    nx, ny, nz = matrix
    axes = [np.arange(n) - n // 2 for n in (nz, ny, nx)]
    places = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).astype(float)
    signal = sample(places, coils=4, three_dimensional=three) * np.sqrt(nx * ny * nz)
    np.testing.assert_allclose(cartesian(matrix, coils=4), signal, atol=1e-4 * np.abs(signal).max())


def test_one_sample_against_the_integral_over_the_field_of_view():
    n = 400
    x = (np.arange(n) - n // 2) / n
    fine = truth((n, n, 1))[0]
    for ky, kx in ((0, 0), (2.3, -1.7), (-5, 4.5)):
        wave = np.exp(-2j * np.pi * (ky * x[:, None] + kx * x))
        expected = (sensitivity(x, x, 4) * fine * wave).sum(axis=(1, 2)) / n**2
        np.testing.assert_allclose(sample(np.array([0.0, ky, kx]), coils=4), expected, atol=2e-5)


@pytest.mark.parametrize("oversampling", [2, 3])
def test_oversampling_widens_the_field_of_view(oversampling):
    wide = cartesian((64, 64, 1), coils=2, oversampling=oversampling)
    assert wide.shape[-1] == 64 * oversampling
    narrow = image(cartesian((64, 64, 1), coils=2))
    # Edges ring beyond the narrow field of view, and there the ringing wraps.
    assert nrmse(image(crop_readout(wide, 64)), narrow) < 0.03


def test_slices_differ_a_little():
    first, second = (truth((64, 64, 1), slice_index=index) for index in (0, 3))
    assert 0.01 < nrmse(second, first) < 0.6


def test_coils_differ_and_see_the_whole_object():
    maps = coil_maps((32, 32, 1), coils=8)[:, 0]
    length = np.linalg.norm(maps, axis=0)
    assert length.min() > 0.3 * length.max()
    values = np.linalg.svd(maps.reshape(8, -1), compute_uv=False)
    assert values[7] > 1e-3 * values[0]
    with pytest.raises(ValueError, match="coils is 0"):
        weights(0)
