import numpy as np

from gadgets.image_finish import image_finish
from gadgets.stream.control import Text
from tests.support.buffers import image, random_kspace, recon_buffer, recon_data
from tests.support.streams import acquisition, run


def numbered(*indices, series=0):
    return [image(np.ones((2, 2), np.float32), image_index=i, image_series_index=series) for i in indices]


def test_images_are_numbered_from_one_within_each_series():
    images = numbered(0, 0) + numbered(0, 0, series=5)
    assert [(i.image_series_index, i.image_index) for i in run(image_finish, images)] == [
        (0, 1),
        (0, 2),
        (5, 1),
        (5, 2),
    ]


def test_free_indices_are_kept_and_taken_ones_replaced():
    assert [i.image_index for i in run(image_finish, numbered(2, 2, 0, 7, 7))] == [2, 1, 3, 7, 4]


def test_only_images_reach_the_client(caplog):
    caplog.set_level("INFO")
    lines = [acquisition(np.ones((2, 8))) for _ in range(3)]
    recon = recon_data(recon_buffer(random_kspace((1, 1, 1, 2, 1, 4, 4))))
    picture = numbered(0)
    assert run(image_finish, [Text("hello"), *lines, *picture, recon]) == picture
    assert "3 items of type Acquisition" in caplog.text
    assert "1 items of type ReconData" in caplog.text
