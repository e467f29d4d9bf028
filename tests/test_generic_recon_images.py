"""What the generic chain does to image arrays: filters, field of view, scaling."""

import ismrmrd
import numpy as np
import pytest
import torch

from gadgets.generic_recon_field_of_view_adjustment import generic_recon_field_of_view_adjustment
from gadgets.generic_recon_image_array_scaling import generic_recon_image_array_scaling
from gadgets.generic_recon_k_space_filtering import generic_recon_k_space_filtering
from gadgets.generic_recon_partial_fourier_handling_filter import generic_recon_partial_fourier_handling_filter
from gadgets.mri.fft import fft, ifft
from gadgets.mri.windows import gaussian, hann, partial_fourier_window, tapered_hann
from gadgets.outputs.images import metas_of
from tests.support.buffers import image, image_array, random_kspace
from tests.support.streams import header_xml, run

SHAPE = (2, 1, 2, 1, 6, 16, 20)
HEADER = header_xml((20, 16, 6))
ALL = [generic_recon_k_space_filtering, generic_recon_partial_fourier_handling_filter,
       generic_recon_field_of_view_adjustment, generic_recon_image_array_scaling]  # fmt: skip


def images(shape=SHAPE, seed=0, **entries):
    """An array of noise, with entries in the meta of each image."""
    made = image_array(random_kspace(shape, seed))
    meta = {"encoding": "0", "DataRole": "Image", **entries}
    made.meta = [ismrmrd.Meta(meta).serialize() for _ in range(made.headers.size)]
    return made


def limits(first, last, length):
    return [str(first), str(length // 2), str(last)]


def kspace(array, axes=(-3, -2, -1)):
    return fft(torch.from_numpy(np.ascontiguousarray(array.data.T)), axes)


def one(gadget, array, header=HEADER, **properties):
    (found,) = run(gadget, [array], header, **properties)
    return found


def noise_level(array):
    return float(np.sqrt((abs(array.data) ** 2).mean()))


@pytest.mark.parametrize("kind", ["Gaussian", "Hanning", "TaperedHanning", "None"])
def test_each_axis_has_its_window(kind):
    array = images()
    found = one(
        generic_recon_k_space_filtering, array, filterE1=kind, filterRO="None", filterE2="None", filterE1_sigma=2
    )
    windows = {"Gaussian": gaussian(16, 2.0), "Hanning": hann(16), "TaperedHanning": tapered_hann(16, 3)}
    window = windows.get(kind, torch.ones(16))
    torch.testing.assert_close(kspace(found), kspace(array) * window[:, None], rtol=1e-4, atol=1e-4)
    assert noise_level(found) == pytest.approx(noise_level(array), rel=0.1)


def test_the_stock_filter_is_gaussian_along_all_axes():
    array = images()
    found = one(generic_recon_k_space_filtering, array)
    window = gaussian(6, 1.0)[:, None, None] * gaussian(16, 1.0)[:, None] * gaussian(20, 1.0)
    torch.testing.assert_close(kspace(found), kspace(array) * window, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("first", "last"), [(0, 11), (3, 15), (3, 13)])
def test_filters_are_fair_to_noise_where_it_was_sampled(first, last):
    sampled = torch.zeros(16)
    sampled[first : last + 1] = 1
    array = images((1, 1, 40, 1, 1, 16, 20), sampling_limits_E1=limits(first, last, 16))
    array.data = ifft(kspace(array) * sampled[:, None], (-3, -2, -1)).numpy().T
    found = one(generic_recon_k_space_filtering, array, filterRO="None")
    assert noise_level(found) == pytest.approx(noise_level(array), rel=0.02)
    # The window is about the centre of k-space, whatever is missing.
    gains = (kspace(found).abs() / kspace(array).abs().clamp_min(1e-6))[0, 0, 0, 0, 0, :, 0]
    assert int(gains.argmax()) == 8


@pytest.mark.parametrize("compensate", [False, True])
def test_partial_axes_end_softly(compensate):
    array = images(sampling_limits_E1=limits(0, 11, 16), sampling_limits_RO=limits(4, 19, 20))
    found = one(generic_recon_partial_fourier_handling_filter, array, partial_fourier_filter_densityComp=compensate)
    window = partial_fourier_window(16, 0, 11, 0.15, compensate=compensate)[:, None]
    window = window * partial_fourier_window(20, 4, 19, 0.15, compensate=compensate)
    torch.testing.assert_close(kspace(found), kspace(array) * window, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "entries",
    [
        {},
        {"sampling_limits_E1": limits(0, 15, 16)},
        # As much as a lattice leaves at its end.
        {"sampling_limits_E1": limits(0, 14, 16)},
        {"sampling_limits_E1": limits(4, 12, 16)},
        {"sampling_limits_E1": limits(0, 10, 16), "Skip_processing_after_recon": "1"},
    ],
)
def test_complete_images_are_not_filtered(entries):
    array = images(**entries)
    found = one(generic_recon_partial_fourier_handling_filter, array, header_xml((20, 16, 6), acceleration=3))
    assert found is array


def test_images_can_ask_to_be_skipped():
    array = images(Skip_processing_after_recon="1")
    assert one(generic_recon_k_space_filtering, array) is array
    assert one(generic_recon_k_space_filtering, array, skip_processing_meta_field="other") is not array


def test_the_field_of_view_is_cut_and_the_matrix_made():
    """Encoded 40 x 48 mm on 20 x 16; wanted: 40 x 32 mm on 20 x 32, voxels of 1 mm along y."""
    array = images((1, 1, 1, 1, 1, 16, 20), encoding_FOV=["80", "48", "2"])
    header = header_xml((20, 16, 1), (20, 32, 1)).replace(b"<y>64.0</y>", b"<y>32.0</y>")
    found = one(generic_recon_field_of_view_adjustment, array, header)
    # 48 voxels over the encoded field of view, of which the middle 32 stay; intensities are kept.
    padded = torch.nn.functional.pad(kspace(array, (-2,)), (0, 0, 16, 16))
    expected = ifft(padded, (-2,))[..., 8:40, :] * (48 / 16) ** 0.5
    np.testing.assert_allclose(found.data.T, expected, rtol=1e-4, atol=1e-5)
    head = found.headers[0, 0, 0]
    assert list(head.matrix_size) == [20, 32, 1]
    assert list(head.field_of_view) == [40, 32, 2]


def test_larger_voxels_have_the_same_noise_and_more_signal():
    array = images((1, 1, 60, 1, 1, 16, 20))
    found = one(generic_recon_field_of_view_adjustment, array, header_xml((20, 16, 1), (10, 16, 1)))
    assert found.data.shape[:3] == (10, 16, 1)
    assert noise_level(found) == pytest.approx(noise_level(array), rel=0.02)
    torch.testing.assert_close(kspace(found), kspace(array)[..., 5:15])
    flat = images((1, 1, 1, 1, 1, 16, 20))
    flat.data[...] = 1
    found = one(generic_recon_field_of_view_adjustment, flat, header_xml((20, 16, 1), (10, 16, 1)))
    np.testing.assert_allclose(abs(found.data), 2**0.5, rtol=1e-5)


def test_voxels_that_do_not_divide_the_field_of_view_are_told():
    """Whole voxels, an even number over the encoded field of view: the cut one is not quite what was asked for."""
    array = images((1, 1, 1, 1, 1, 16, 20), encoding_FOV=["40", "47", "2"])
    found = one(generic_recon_field_of_view_adjustment, array, header_xml((20, 16, 1)))
    head = found.headers[0, 0, 0]
    assert list(head.matrix_size) == [20, 16, 1]
    assert head.field_of_view[1] == pytest.approx(16 * 47 / 24)


def test_what_needs_no_change_is_not_changed():
    array = images()
    found = one(generic_recon_field_of_view_adjustment, array)
    np.testing.assert_array_equal(found.data, array.data)
    assert [list(head.field_of_view) for head in found.headers.flat] == [[40, 32, 12]] * 4


@pytest.mark.parametrize(
    ("entries", "properties", "factor"),
    [
        ({}, {}, 4),
        ({}, {"scalingFactor": 10}, 10),
        ({"DataRole": "Gfactor"}, {"scalingFactor": 10}, 100),
        ({"GADGETRON_DataRole": "SNR_MAP", "DataRole": "SNR_MAP"}, {}, 10),
        ({"DataRole": "STD_MAP"}, {"scalingFactor_snr_std_map": 7}, 7),
        ({"Use_dedicated_scaling_factor": "1"}, {}, 100),
    ],
)
def test_factors_by_what_the_image_is(entries, properties, factor):
    array = images(ImageComments="a", **entries)
    found = one(generic_recon_image_array_scaling, array, **properties)
    np.testing.assert_allclose(found.data, array.data * factor)
    for meta in metas_of(found):
        assert float(meta["RescaleSlope"]) * factor == pytest.approx(1)
        assert float(meta["GADGETRON_ScaleRatio"]) == pytest.approx(factor)
        assert meta["ImageComments"] == ["a", f"x{factor}"]


@pytest.mark.parametrize(
    ("largest", "factor"), [(64, 4), (1023, 4), (1500, 2), (3000, 1), (4095, 1), (10, 204.8), (8000, 0.256)]
)
def test_automatic_factors(largest, factor):
    array = images()
    array.data *= largest / abs(array.data).max()
    second = images(seed=1)
    automatic = {"use_constant_scalingFactor": False}
    found = run(generic_recon_image_array_scaling, [array, second], HEADER, **automatic)
    np.testing.assert_allclose(found[0].data, array.data * factor, rtol=1e-4)
    np.testing.assert_allclose(found[1].data, second.data * factor, rtol=1e-4)
    each = run(generic_recon_image_array_scaling, [array, second], HEADER, auto_scaling_only_once=False, **automatic)
    assert abs(each[1].data).max() == pytest.approx(2048)


@pytest.mark.parametrize("gadget", ALL)
def test_what_is_not_theirs_passes(gadget):
    items = [ismrmrd.Waveform(), image(np.zeros((4, 4), np.complex64))]
    assert run(gadget, items, HEADER) == items


@pytest.mark.parametrize("gadget", ALL[1:])
def test_an_encoding_space_that_is_not_there(gadget):
    with pytest.raises(ValueError, match="an image is of encoding space 3; the header describes 1"):
        one(gadget, images(encoding="3"))


@pytest.mark.parametrize(
    ("gadget", "properties", "words"),
    [
        (ALL[0], {"filterE1": "Tukey"}, "filterE1"),
        (ALL[0], {"filterE2_sigma": 0}, "filterE2_sigma is 0"),
        (ALL[0], {"filterRO_width": 0.7}, "filterRO_width is 0.7"),
        (ALL[1], {"partial_fourier_filter_E1_width": 0}, "partial_fourier_filter_E1_width is 0"),
        (ALL[3], {"scalingFactor_gfactor_map": 0}, "scalingFactor_gfactor_map is 0"),
        (ALL[3], {"min_intensity_value": 5000}, "min_intensity_value 5000 and max_intensity_value 4095"),
    ],
)
def test_settings_that_cannot_be(gadget, properties, words):
    with pytest.raises(ValueError, match=words):
        run(gadget, [], **properties)
