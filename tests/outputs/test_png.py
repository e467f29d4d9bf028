import io

import numpy as np
import pytest
from PIL import Image

from gadgets.outputs.png import png


def decoded(data):
    picture = Image.open(io.BytesIO(data))
    assert picture.mode == "L"
    return np.asarray(picture)


def test_rows_are_rows_and_columns_are_columns():
    pixels = np.arange(12.0).reshape(3, 4)
    np.testing.assert_array_equal(decoded(png(pixels, 0, 11)), np.floor(pixels / 11 * 255 + 0.5))


def test_beyond_the_window_is_black_and_white():
    assert decoded(png(np.array([[-5.0, 0, 5, 10, 15]]), 0, 10)).tolist() == [[0, 0, 128, 255, 255]]


def test_an_even_picture_is_drawn():
    assert decoded(png(np.full((2, 2), 3), 3, 3)).tolist() == [[0, 0], [0, 0]]


@pytest.mark.parametrize("pixels", [np.zeros((1, 2, 2)), np.zeros((2, 2), complex)])
def test_what_is_no_picture_is_refused(pixels):
    with pytest.raises(ValueError, match="made of real pixels"):
        png(pixels, 0, 1)
