"""Images made into others, and what a scan's resolution leaves of them."""

import numpy as np
import pytest

from gadgets.mri.training.augmentation import augmented, band_limited


@pytest.fixture
def random():
    return np.random.default_rng(0)


def test_augmented_images_stay_whole(random):
    image = np.zeros((60, 80))
    image[15:45, 20:60] = 1
    for _ in range(10):
        out = augmented(image, (40, 40), random)
        out = np.abs(out)
        assert out.shape == (40, 40) and out.max() == pytest.approx(1) and out.min() == 0
        # Half of the length along the longer axis, stretched by a fifth and more at most.
        assert 0.1 < (out > 0.5 * np.median(out[out > 0])).mean() < 0.4


def test_background_stays_background_and_tissues_change(random):
    image = np.zeros((32, 32))
    image[8:24, 8:16], image[8:24, 16:24] = 0.4, 1
    brighter = set()
    for _ in range(20):
        out = np.abs(augmented(image, (64, 64), random))
        assert not out[0].any() and not out[:, 0].any()
        tissues = np.bincount((20 * out[out > 0.05]).astype(int), minlength=21)
        brighter.add(int(tissues.argmax()))
    assert len(brighter) > 2


def test_tissues_may_have_phases_of_their_own(random):
    image = np.zeros((32, 32))
    image[8:24, 8:16], image[8:24, 16:24] = 0.4, 1
    apart = []
    for _ in range(20):
        out = augmented(image, (64, 64), random)
        apart.append(np.ptp(np.angle(out[np.abs(out) > 0.2])))
    assert min(apart) == 0 and max(apart) > 0.5


def test_no_image_stays_no_image(random):
    assert not augmented(np.zeros((8, 8)), (6, 6), random).any()


@pytest.mark.parametrize("matrix", [(16, 16), (15, 12), (12, 15)])
def test_what_the_matrix_can_show_is_the_same_at_its_points(matrix):
    """A wave below the limit is sampled; one above it is gone."""
    fine = 2 * matrix[0], 2 * matrix[1]

    def wave(shape, cycles):
        y, x = ((np.arange(n) - n // 2) / n for n in shape)
        return np.exp(2j * np.pi * (cycles[0] * y[:, None] + cycles[1] * x))

    np.testing.assert_allclose(band_limited(wave(fine, (3, -4)), matrix), wave(matrix, (3, -4)), atol=1e-5)
    np.testing.assert_allclose(band_limited(wave(fine, (matrix[0] - 2, 0)), matrix), 0, atol=1e-5)


def test_edges_ring():
    image = np.zeros((64, 64))
    image[16:48, 16:48] = 1
    seen = np.abs(band_limited(image, (32, 32)))
    # Gibbs: up to 9 % above each edge.
    assert 1.05 < seen.max() < 1.25


def test_a_matrix_larger_than_the_image_is_refused():
    with pytest.raises(ValueError, match=r"matrix is \(9, 8\), expected at most \(8, 8\)"):
        band_limited(np.zeros((8, 8)), (9, 8))


def test_objects_end_within_the_field_of_view(random):
    """Also where a part of the image is shown that goes on beyond it: k-space joins one side to the other."""
    for enlarged in (1.0, 3.0):
        out = np.abs(augmented(np.ones((60, 80)), (48, 48), random, enlarged=enlarged))
        assert out[20:28, 20:28].min() > 0.05
        assert max(out[0].max(), out[-1].max(), out[:, 0].max(), out[:, -1].max()) == 0


def test_parts_are_shown_no_larger_than_they_are_sharp(random):
    """Stripes one point wide: on the fine grid, of two points for each, they are no wider than two."""
    stripes = np.zeros((64, 64))
    stripes[:, ::2] = stripes[::2] = 1
    for _ in range(5):
        out = np.abs(augmented(stripes, (96, 96), random, enlarged=10.0))[24:72, 24:72]
        spectrum = np.abs(np.fft.fft2(out - out.mean()))
        index = np.argwhere(spectrum > 0.5 * spectrum.max())
        # Of a frequency and its negative, the one; stripes of two points are 12 waves in 48.
        assert np.minimum(index, 48 - index).max() >= 8
