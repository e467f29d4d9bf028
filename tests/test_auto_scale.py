import ismrmrd
import numpy as np
import pytest

from gadgets.auto_scale import auto_scale, bright_level
from gadgets.outputs.meta import rescaling
from gadgets.stream.control import Text
from tests.support.buffers import image
from tests.support.streams import run


def picture(size=1.0, **head):
    pixels = size * np.random.default_rng(1).rayleigh(size=(1, 1, 40, 50)).astype(np.float32)
    return image(pixels, **({"image_type": ismrmrd.IMTYPE_MAGNITUDE} | head))


def test_nearly_all_pixels_are_below_the_maximum():
    (sent,) = run(auto_scale, [picture(1e-6)], max_value=1000)
    assert 0.98 < (sent.data <= 1000).mean() < 1
    assert sent.data.dtype == np.float32


def test_the_level_is_that_of_the_histogram():
    # 0 ... 99, once each, in bins of 0.99: the 99th pixel is in bin 98 (from 0), the next ends at 100 bins.
    assert bright_level(np.arange(100.0)) == pytest.approx(99.0)
    # All but 1 % of the pixels in the lowest bin: the edge of the bin after that one.
    assert bright_level(np.array([0.0] * 99 + [50.0])) == pytest.approx(1.0)


@pytest.mark.parametrize("per", ["image", "slice", "series"])
def test_the_meta_gives_the_intensities_back(per):
    source = [picture(2.0, slice=0), picture(7.0, slice=1), picture(3.0, slice=0, repetition=1)]
    source[2].meta["RescaleSlope"], source[2].meta["RescaleIntercept"] = "0.5", "3"
    for before, after in zip(source, run(auto_scale, source, per=per), strict=True):
        slope, intercept = rescaling(after.meta)
        expected = before.data if before is not source[2] else 0.5 * before.data + 3
        np.testing.assert_allclose(slope * after.data + intercept, expected, rtol=1e-5)
        ratio = float(after.meta["GADGETRON_ScaleRatio"])
        offset = float(after.meta["GADGETRON_ScaleOffset"])
        np.testing.assert_allclose(ratio * expected + offset, after.data, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize(
    ("per", "groups"), [("image", [[0], [1], [2], [3]]), ("slice", [[0, 2], [1], [3]]), ("series", [[0, 1, 2], [3]])]
)
def test_what_shares_a_scale(per, groups):
    source = [picture(1.0), picture(3.0, slice=1), picture(2.0, repetition=1), picture(5.0, image_series_index=1)]
    slopes = [rescaling(i.meta)[0] for i in run(auto_scale, source, per=per)]
    for group in groups:
        assert len({slopes[i] for i in group}) == 1
    assert len(set(slopes)) == len(groups)


def test_only_magnitudes_are_scaled():
    items = [
        picture(image_type=ismrmrd.IMTYPE_PHASE),
        image(np.ones((2, 2), np.complex64), image_type=ismrmrd.IMTYPE_MAGNITUDE),
        image(np.zeros((2, 2), np.float32)),
        Text("hello"),
    ]
    assert run(auto_scale, items) == items


def test_an_image_of_zeros_sets_no_scale():
    zeros = image(np.zeros((2, 2), np.float32), image_type=ismrmrd.IMTYPE_MAGNITUDE)
    _, sent = run(auto_scale, [zeros, picture(5.0)])
    assert 0.9 < np.percentile(sent.data, 99) / 2048 < 1


def test_what_cannot_be_scaled_is_refused():
    source = picture()
    source.data[0, 0, 0, 0] = np.nan
    with pytest.raises(ValueError, match="has 1 pixels that are NaN"):
        run(auto_scale, [source])
    with pytest.raises(ValueError, match="max_value"):
        auto_scale.bind({"max_value": "0"})
