import ismrmrd
import numpy as np
import pytest

from gadgets.float_to_u_short import float_to_u_short
from gadgets.outputs.meta import rescaling
from gadgets.stream.control import Text
from tests.support.buffers import image
from tests.support.streams import run

TYPES = {
    "magnitude": (ismrmrd.IMTYPE_MAGNITUDE, 0, 2000),
    "real": (ismrmrd.IMTYPE_REAL, -2000, 2000),
    "imag": (ismrmrd.IMTYPE_IMAG, -2000, 2000),
    "phase": (ismrmrd.IMTYPE_PHASE, -np.pi, np.pi),
}


def picture(kind="magnitude", **head):
    image_type, low, high = TYPES[kind]
    pixels = np.random.default_rng(0).uniform(low, high, (1, 1, 30, 40)).astype(np.float32)
    return image(pixels, image_type=image_type, **head)


@pytest.mark.parametrize("kind", TYPES)
def test_the_meta_gives_the_intensities_back_to_half_a_step(kind):
    source = picture(kind)
    (sent,) = run(float_to_u_short, [source])
    assert sent.data.dtype == np.uint16
    assert sent.data_type == ismrmrd.DATATYPE_USHORT
    slope, intercept = rescaling(sent.meta)
    assert abs(slope * sent.data + intercept - source.data).max() <= 0.5001 * slope


def test_phase_fills_the_range():
    source = image(np.array([[-np.pi, 0, np.pi]], np.float32), image_type=ismrmrd.IMTYPE_PHASE)
    (sent,) = run(float_to_u_short, [source], max_intensity=4094)
    assert sent.data.ravel().tolist() == [0, 2047, 4094]


def test_halves_are_rounded_up_and_the_range_is_kept(caplog):
    source = [image(np.array([[-5, 0.5, 1.5, 2.4, 40000]], np.float32), slice=s) for s in range(2)]
    first, _ = run(float_to_u_short, source)
    assert first.data.ravel().tolist() == [0, 1, 2, 2, 32767]
    assert caplog.text.count("2 pixels are beyond 0 to 32767") == 1


def test_an_offset_that_was_added_before_is_not_added_again():
    source = picture("real")
    source.meta["RescaleIntercept"] = "-5000"
    source.data[...] += 5000
    (sent,) = run(float_to_u_short, [source])
    np.testing.assert_allclose(sent.data, source.data, atol=0.501)


def test_windows_are_integers_and_the_same_for_all_images_of_a_slice():
    source = [picture(repetition=r) for r in range(2)]
    source[1].data[...] *= 2
    first, second = (i.meta for i in run(float_to_u_short, source))
    for name in ("WindowCenter", "WindowWidth", "GADGETRON_WindowCenter", "GADGETRON_WindowWidth"):
        assert first[name] == second[name] == str(int(first[name]))
    assert int(first["WindowWidth"]) == pytest.approx(1990, abs=15)
    assert int(first["WindowCenter"]) == pytest.approx(995, abs=8)


def test_a_window_that_is_there_is_kept():
    source = picture()
    source.meta["WindowCenter"] = "7"
    (sent,) = run(float_to_u_short, [source])
    assert sent.meta["WindowCenter"] == "7"


def test_an_even_image_has_a_window():
    (sent,) = run(float_to_u_short, [image(np.zeros((4, 4), np.float32))])
    assert (sent.meta["WindowCenter"], sent.meta["WindowWidth"]) == ("0", "1")


def test_integers_complex_images_and_other_items_pass():
    items = [image(np.ones((2, 2), np.int32)), image(np.ones((2, 2), np.complex64)), Text("hello")]
    assert run(float_to_u_short, items) == items


def test_what_cannot_be_converted_is_refused():
    source = picture()
    source.data[0, 0, 0, 0] = np.inf
    with pytest.raises(ValueError, match="NaN or infinite"):
        run(float_to_u_short, [source])
    with pytest.raises(ValueError, match="no range of 16-bit integers"):
        float_to_u_short.bind({"max_intensity": "70000"})
