import numpy as np
import pytest

from gadgets.image_array_split import image_array_split
from gadgets.stream.control import Text
from tests.support.buffers import image_array, random_kspace
from tests.support.streams import run


def test_every_image_keeps_its_own_header_meta_and_pixels():
    pixels = random_kspace((2, 3, 4, 2, 1, 5, 6)).astype(np.complex64)
    array = image_array(pixels)
    array.meta = [
        f"<ismrmrdMeta><meta><name>place</name><value>{n},{s},{loc}</value></meta></ismrmrdMeta>"
        for loc in range(2)
        for s in range(3)
        for n in range(4)
    ]
    images = run(image_array_split, [array])
    assert len(images) == 24
    for image in images:
        np.testing.assert_array_equal(image.data, pixels[image.slice, image.average, image.contrast])
        assert image.meta["place"] == f"{image.contrast},{image.average},{image.slice}"
        assert (image.matrix_size, image.channels) == ((6, 5, 1), 2)


def test_pixels_are_not_copied():
    array = image_array(random_kspace((1, 1, 2, 1, 1, 5, 6)))
    assert all(np.shares_memory(image.data, array.data) for image in run(image_array_split, [array]))


def test_some_metas_are_refused():
    array = image_array(random_kspace((1, 1, 2, 1, 1, 5, 6)))
    array.meta = ["<ismrmrdMeta/>"]
    with pytest.raises(ValueError, match="2 images has 1 metas"):
        run(image_array_split, [array])


def test_other_items_pass_in_order():
    before, after = Text("before"), Text("after")
    sent = run(image_array_split, [before, image_array(np.ones((1, 1, 2, 1, 1, 2, 2))), after])
    assert [sent[0], sent[-1]] == [before, after]
    assert len(sent) == 4
