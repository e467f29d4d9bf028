import numpy as np
import pytest

from gadgets.outputs.images import split
from gadgets.simple_recon import simple_recon
from gadgets.stream.control import Text
from tests.support.buffers import empty_buffer, random_kspace, recon_buffer, recon_data
from tests.support.streams import run


def rss(kspace):
    """By definition, in double precision."""
    axes = (-3, -2, -1)
    images = np.fft.fftshift(np.fft.ifftn(np.fft.ifftshift(kspace, axes), axes=axes, norm="ortho"), axes)
    return np.sqrt((abs(images) ** 2).sum(axis=-4, keepdims=True))


@pytest.mark.parametrize("matrix", [(1, 16, 16), (1, 15, 9), (4, 6, 8), (3, 5, 1)])
def test_every_image_is_the_root_sum_of_squares_of_its_own_channels(matrix):
    kspace = random_kspace((2, 3, 2, 4, *matrix))
    (images,) = run(simple_recon, [recon_data(recon_buffer(kspace))])
    np.testing.assert_allclose(images.data.T, rss(kspace), rtol=1e-5, atol=1e-6)
    assert images.data.dtype == np.complex64
    for image in split(images):
        expected = rss(kspace)[image.slice, image.average, image.contrast]
        np.testing.assert_allclose(image.data, expected, rtol=1e-5, atol=1e-6)


def test_headers_come_from_the_line_at_the_centre_of_k_space():
    buffer = recon_buffer(random_kspace((2, 1, 1, 2, 4, 8, 8)), user_int=3, repetition=5)
    images = list(split(run(simple_recon, [recon_data(buffer)])[0]))
    for loc, image in enumerate(images):
        centre = buffer.headers[4, 2, 0, 0, loc]
        assert image.acquisition_time_stamp == centre.acquisition_time_stamp
        assert tuple(image.position) == tuple(centre.position) == (0, 0, 5 * loc)
        assert (image.matrix_size, image.channels, image.version, image.measurement_uid) == ((8, 8, 4), 1, 1, 7)
        assert (image.slice, image.repetition, image.image_index) == (loc, 5, loc + 1)
        assert tuple(image.field_of_view) == (16, 16, 8)
        assert set(image.user_int) == {0}


def test_headers_come_from_the_first_acquired_line_where_the_centre_is_missing():
    acquired = np.ones((1, 8), bool)
    acquired[0, [0, 4]] = False
    buffer = recon_buffer(random_kspace((1, 1, 1, 2, 1, 8, 8)), acquired)
    (image,) = split(run(simple_recon, [recon_data(buffer)])[0])
    assert image.acquisition_time_stamp == buffer.headers[1, 0, 0, 0, 0].acquisition_time_stamp


def test_what_was_not_acquired_makes_no_image():
    acquired = np.ones((2, 1, 2, 1, 1), bool)
    acquired[1, 0, 0] = False
    buffer = recon_buffer(random_kspace((2, 1, 2, 2, 1, 8, 8)), acquired)
    images = list(split(run(simple_recon, [recon_data(buffer)])[0]))
    assert [(i.slice, i.contrast, i.image_index) for i in images] == [(0, 0, 1), (0, 1, 2), (1, 1, 3)]


def test_encoding_spaces_are_series_and_empty_ones_are_skipped():
    first, third = (recon_buffer(random_kspace((1, 1, 1, 2, 1, 8, size))) for size in (8, 6))
    sent = run(simple_recon, [recon_data(first, empty_buffer(), third), recon_data(first)])
    images = [image for item in sent for image in split(item)]
    assert [(i.image_series_index, i.image_index, i.matrix_size[0]) for i in images] == [
        (0, 1, 8),
        (2, 1, 6),
        (0, 2, 8),
    ]


def test_other_items_pass():
    text = Text("hello")
    assert run(simple_recon, [text]) == [text]


def test_samples_that_are_not_finite_are_refused_and_counted():
    buffer = recon_buffer(random_kspace((1, 1, 1, 2, 1, 8, 8)), repetition=3)
    buffer.data[2, 3, 0, 1] = np.nan
    with pytest.raises(ValueError, match="slice 0, contrast 0, repetition 3 holds 1 samples that are NaN"):
        run(simple_recon, [recon_data(buffer)])


def test_a_field_of_view_that_the_image_does_not_have_is_said(caplog):
    buffer = recon_buffer(random_kspace((1, 1, 1, 2, 1, 8, 8)), recon_fov=(16, 12, 2))
    (image,) = split(run(simple_recon, [recon_data(buffer)])[0])
    assert tuple(image.field_of_view) == (16, 12, 2)
    assert "encoded field of view" in caplog.text
