import ismrmrd
import numpy as np
import pytest

from gadgets.complex_to_float import complex_to_float
from gadgets.stream.control import Text
from tests.support.buffers import image, random_kspace
from tests.support.streams import run


@pytest.mark.parametrize(
    ("given", "take", "made"),
    [
        (0, np.abs, ismrmrd.IMTYPE_MAGNITUDE),
        (ismrmrd.IMTYPE_COMPLEX, np.abs, ismrmrd.IMTYPE_MAGNITUDE),
        (ismrmrd.IMTYPE_MAGNITUDE, np.abs, ismrmrd.IMTYPE_MAGNITUDE),
        (ismrmrd.IMTYPE_PHASE, np.angle, ismrmrd.IMTYPE_PHASE),
        (ismrmrd.IMTYPE_REAL, np.real, ismrmrd.IMTYPE_REAL),
        (ismrmrd.IMTYPE_IMAG, np.imag, ismrmrd.IMTYPE_IMAG),
    ],
)
def test_the_image_type_says_which_part(given, take, made):
    source = image(random_kspace((2, 1, 5, 4)).astype(np.complex64), image_type=given, image_series_index=3)
    (sent,) = run(complex_to_float, [source])
    np.testing.assert_allclose(sent.data, take(source.data), rtol=1e-6)
    assert sent.data.dtype == np.float32
    assert (sent.image_type, sent.image_series_index) == (made, 3)


def test_real_images_and_other_items_pass():
    items = [image(np.ones((2, 2), np.float32)), Text("hello")]
    assert run(complex_to_float, items) == items
