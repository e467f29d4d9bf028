import ismrmrd
import numpy as np
import pytest

from gadgets.extract import extract
from gadgets.stream.control import Text
from tests.support.buffers import image, random_kspace
from tests.support.streams import run

PARTS = {
    "magnitude": (1, 0, np.abs),
    "real": (3, 1000, np.real),
    "imag": (4, 2000, np.imag),
    "phase": (2, 3000, np.angle),
}


def complex_image(**head):
    return image(random_kspace((2, 1, 5, 4)).astype(np.complex64), image_series_index=3, **head)


def test_every_part_has_its_type_and_its_series():
    source = complex_image(image_index=7, slice=2)
    sent = run(extract, [source], extract_mask=15)
    for made, (image_type, offset, take) in zip(sent, PARTS.values(), strict=True):
        np.testing.assert_allclose(made.data, take(source.data), rtol=1e-6)
        assert made.data.dtype == np.float32
        assert (made.image_type, made.data_type) == (image_type, ismrmrd.DATATYPE_FLOAT)
        assert (made.image_series_index, made.image_index, made.slice) == (3 + offset, 7, 2)


def test_the_parts_make_the_image_again():
    source = complex_image()
    real, imag = run(extract, [source], extract_magnitude=False, extract_real=True, extract_imag=True)
    np.testing.assert_array_equal(real.data + 1j * imag.data, source.data)


def test_magnitude_is_the_default_and_the_mask_overrides():
    assert [i.image_type for i in run(extract, [complex_image()])] == [ismrmrd.IMTYPE_MAGNITUDE]
    assert [i.image_type for i in run(extract, [complex_image()], extract_mask=8)] == [ismrmrd.IMTYPE_PHASE]


def test_the_offset_of_real_and_imaginary_images_is_on_record():
    source = complex_image()
    magnitude, real = run(extract, [source], extract_real=True, real_imag_offset=100)
    np.testing.assert_allclose(real.data - 100, source.data.real, atol=1e-4)
    assert float(real.meta["RescaleIntercept"]) == -100
    assert "RescaleIntercept" not in magnitude.meta


def test_only_images_of_new_series_lose_the_scanners_description():
    source = complex_image()
    source.meta = ismrmrd.Meta({"IceMiniHead": "x", "ImageProcessingHistory": ["a"]})
    magnitude, phase = run(extract, [source], extract_mask=9)
    assert magnitude.meta["IceMiniHead"] == "x"
    assert "IceMiniHead" not in phase.meta
    assert phase.meta["ImageProcessingHistory"] == phase.meta["GADGETRON_ImageProcessingHistory"] == ["a", "phase"]
    assert source.meta["ImageProcessingHistory"] == ["a"]


def test_real_images_and_other_items_pass():
    items = [image(np.ones((1, 1, 2, 2), np.float32)), Text("hello")]
    assert run(extract, items) == items


@pytest.mark.parametrize("properties", [{"extract_magnitude": False}, {"extract_mask": 16}])
def test_nothing_to_extract_is_refused(properties):
    with pytest.raises(ValueError, match="extract"):
        extract.bind({name: str(value).lower() for name, value in properties.items()})
