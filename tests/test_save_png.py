import io

import numpy as np
import pytest
from PIL import Image

from gadgets.save_png import save_png
from gadgets.stream.control import Text
from tests.support.buffers import image
from tests.support.streams import run


def test_every_slice_is_a_file(tmp_path):
    items = [
        image(np.ones((1, 1, 4, 6), np.float32), image_index=3, slice=2),
        image(np.ones((1, 2, 4, 6), np.complex64), image_series_index=1),
        image(np.ones((2, 1, 4, 6), np.uint16), image_series_index=2, image_index=1),
        Text("hello"),
    ]
    assert run(save_png, items, folder=tmp_path / "made") == items
    assert sorted(file.name for file in (tmp_path / "made").iterdir()) == [
        "series0000_image0003_slice002.png",
        "series0001_image0001_slice000_z000.png",
        "series0001_image0001_slice000_z001.png",
        "series0002_image0001_slice000_channel000.png",
        "series0002_image0001_slice000_channel001.png",
    ]


def test_no_image_of_a_scan_replaces_another(tmp_path):
    run(save_png, [image(np.ones((4, 6), np.float32), image_index=1) for _ in range(3)], folder=tmp_path)
    assert len(list(tmp_path.iterdir())) == 3


def test_the_window_is_of_percentiles(tmp_path):
    run(save_png, [image(np.arange(101, dtype=np.float32)[None])], folder=tmp_path, window=(10, 90))
    picture = np.asarray(Image.open(io.BytesIO(next(tmp_path.iterdir()).read_bytes())))[0]
    assert picture[10] == 0 < picture[11]
    assert picture[89] < 255 == picture[90]


def test_a_window_that_is_none_is_refused():
    with pytest.raises(ValueError, match="two percentiles"):
        save_png.bind({"folder": "x", "window": "90,10"})
