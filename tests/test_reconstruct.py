import numpy as np
import pytest
import torch

from gadgets.coil_sensitivities import coil_sensitivities
from gadgets.mri import methods
from gadgets.mri.phantom.scan import cartesian, truth
from gadgets.mri.quality.errors import nrmse
from gadgets.outputs.images import split
from gadgets.receivers import receivers_message
from gadgets.reconstruct import reconstruct
from gadgets.stream.control import Text
from tests.support.buffers import empty_buffer, random_kspace, recon_buffer, recon_data
from tests.support.sampled_phantom import folded
from tests.support.streams import header_xml, run

MATRIX, COILS = (32, 32, 1), 6


def kspace(*slices):
    return np.stack([cartesian(MATRIX, coils=COILS, slice_index=s)[None, None] for s in slices])


def undersampled(*slices, **head):
    return recon_buffer(kspace(*slices), np.arange(32) % 2 == 0, **head)


def calibration(*slices, **head):
    return recon_buffer(kspace(*slices), abs(np.arange(32) - 16) < 8, **head)


def images(sent):
    return [image for item in sent for image in split(item)]


def error(image, slice_index):
    """Of the magnitude, within the head."""
    expected = abs(truth(MATRIX, slice_index=slice_index))
    return nrmse(abs(image.data[0]), expected, expected > 0.05, scaled=True)


@pytest.mark.parametrize("maps", [True, False])
@pytest.mark.parametrize("method", ["cg_sense"])
def test_every_slice_comes_back_in_its_place(method, maps):
    items = [recon_data((undersampled(0, 4, 8), calibration(0, 4, 8)))]
    sent = run(reconstruct, run(coil_sensitivities, items) if maps else items, method=method)
    for loc, image in enumerate(images(sent)):
        errors = [error(image, slice_index) for slice_index in (0, 4, 8)]
        assert int(np.argmin(errors)) == loc == image.slice
        assert errors[loc] < 0.15
        assert tuple(image.position) == (0, 0, 5 * loc)


@pytest.mark.parametrize("method", ["grappa", "spirit"])
def test_methods_that_calibrate_on_k_space_take_the_reference(method):
    items = [recon_data((undersampled(0, 4, 8), calibration(0, 4, 8)))]
    for loc, image in enumerate(images(run(reconstruct, items, method=method))):
        assert int(np.argmin([error(image, slice_index) for slice_index in (0, 4, 8)])) == loc == image.slice
        assert error(image, 4 * loc) < 0.15
    with pytest.raises(ValueError, match=f"{method} calibrates on k-space, but was given sensitivity maps: leave them"):
        run(reconstruct, run(coil_sensitivities, items), method=method)


def test_maps_and_own_calibration_give_the_same():
    items = [recon_data((undersampled(0), calibration(0)))]
    own, mapped = (images(run(reconstruct, i))[0].data for i in (items, run(coil_sensitivities, items)))
    np.testing.assert_allclose(own, mapped, atol=1e-5 * abs(own).max())


@pytest.mark.parametrize("places", [(), (32,)])
def test_brightness_is_that_of_the_receivers_whoever_calibrates(places):
    items = [recon_data((undersampled(0), calibration(0)))]
    matrix = np.diag([1, 2, 3, 1, 2, 3]) @ np.random.default_rng(0).standard_normal((*places, 6, 6))
    told = [receivers_message(matrix), *items]
    mapped = run(reconstruct, run(coil_sensitivities, told), method="sense")
    own = run(reconstruct, told, method="sense")
    assert len(own) == len(mapped) == 1
    (a,), (b,) = images(own), images(mapped)
    np.testing.assert_allclose(a.data, b.data, rtol=1e-4, atol=1e-5 * abs(b.data).max())
    (plain,) = images(run(reconstruct, items, method="sense"))
    inside = abs(plain.data) > 0
    assert abs(a.data[inside] / plain.data[inside]).std() > 0.1
    with pytest.raises(ValueError, match="the stream describes 4 channels, the data have 6"):
        run(reconstruct, [receivers_message(np.eye(4)), *items])


@pytest.mark.parametrize("method", ["cg_sense", "espirit_l1"])
def test_two_sets_of_maps_serve_an_object_that_folds(method):
    data, expected = (x.numpy() for x in folded())
    lines = np.arange(64) % 2 == 0
    lines[20:44] = True
    items = [
        receivers_message(np.diag(1 + np.arange(8) % 2) @ np.random.default_rng(0).standard_normal((8, 8))),
        recon_data(recon_buffer(data[None, None, None], lines)),
    ]
    mapped = run(coil_sensitivities, items, sets=2)
    (own,), (by_maps,) = (images(run(reconstruct, i, method=method, sets=2)) for i in (items, mapped))
    np.testing.assert_allclose(own.data, by_maps.data, atol=1e-4 * abs(own.data).max())
    errors = []
    for sets in (1, 2):
        (image,) = images(run(reconstruct, items[1:], method=method, sets=sets))
        errors.append(np.linalg.norm(abs(image.data).squeeze() - expected.squeeze()))
    assert errors[1] < 0.5 * errors[0]
    with pytest.raises(ValueError, match="csm holds 2 sets of maps"):
        run(reconstruct, mapped, method=method)


def test_a_reference_may_come_before_its_data():
    apart = [recon_data((empty_buffer(), calibration(0))), recon_data(undersampled(0))]
    (image,) = images(run(reconstruct, apart))
    (expected,) = images(run(reconstruct, [recon_data((undersampled(0), calibration(0)))]))
    np.testing.assert_allclose(image.data, expected.data, atol=1e-5 * abs(expected.data).max())


@pytest.mark.gpu
@pytest.mark.parametrize(
    "method", ["rss", "adaptive_combine", "sense", "cg_sense", "grappa", "spirit", "sake", "nlinv", "homodyne"]
)
def test_a_gpu_makes_the_same_images(method):
    if not torch.cuda.is_available():
        pytest.skip("there is no GPU")
    items = [recon_data(recon_buffer(kspace(0, 4)))]
    cpu, gpu = (images(run(reconstruct, items, method=method, device=device)) for device in ("cpu", "cuda"))
    for a, b in zip(cpu, gpu, strict=True):
        np.testing.assert_allclose(a.data, b.data, atol=1e-3 * abs(a.data).max())


def test_every_contrast_and_average_is_its_own_image():
    factors = np.array([[1, 2, 3], [4, 5j, 6]])[:, :, None, None, None, None]
    buffer = recon_buffer(factors * kspace(0), np.ones((1, 2, 3, 1, 1), bool))
    found = images(run(reconstruct, [recon_data(buffer)], method="adaptive_combine"))
    first = found[0].data
    assert [(i.average, i.contrast, i.image_index) for i in found] == [
        (s, n, 1 + n + 3 * s) for s in range(2) for n in range(3)
    ]
    for image in found:
        # Shared maps keep the phase between contrasts.
        np.testing.assert_allclose(
            image.data, factors[image.average, image.contrast] * first, atol=1e-3 * abs(first).max()
        )


def test_calibrates_once_for_each_slice(monkeypatch):
    calls = []
    cls = methods.find("cg_sense")
    calibrate = cls.calibrate
    monkeypatch.setattr(cls, "calibrate", lambda self, reference: calls.append(1) or calibrate(self, reference))
    items = [recon_data((undersampled(s, slice=s), calibration(s, slice=s))) for s in (0, 1)]
    items += [recon_data(undersampled(s, slice=s, repetition=1)) for s in (1, 0)]
    found = images(run(reconstruct, items))
    assert len(calls) == 2
    np.testing.assert_allclose(found[2].data, found[1].data, atol=1e-5 * abs(found[1].data).max())
    np.testing.assert_allclose(found[3].data, found[0].data, atol=1e-5 * abs(found[0].data).max())


def test_images_are_sent_one_encoding_space_at_a_time_and_empty_ones_are_skipped():
    item = recon_data(recon_buffer(kspace(0)), empty_buffer(), recon_buffer(kspace(1)))
    sent = run(reconstruct, [item, item], header_xml(spaces=3), method="rss")
    assert len(sent) == 4
    assert [(i.image_series_index, i.image_index) for i in images(sent)] == [(0, 1), (2, 1), (0, 2), (2, 2)]


def test_images_have_the_reconstructed_matrix_and_field_of_view():
    buffer = recon_buffer(kspace(0), recon_fov=(64, 48, 2), recon_matrix=(64, 24, 1))
    (image,) = images(run(reconstruct, [recon_data(buffer)], method="rss"))
    assert image.matrix_size == (64, 24, 1)
    assert tuple(image.field_of_view) == (64, 48, 2)
    (whole,) = images(run(reconstruct, [recon_data(recon_buffer(kspace(0)))], method="rss"))
    np.testing.assert_allclose(
        image.data[..., ::2].real, whole.data[..., 4:28, :].real, atol=1e-4 * abs(whole.data).max()
    )


def test_the_meta_names_the_method_and_its_settings():
    (image,) = images(run(reconstruct, [recon_data(recon_buffer(kspace(0)))], iterations=3))
    assert image.meta["ImageComments"] == repr(methods.create("cg_sense", {"iterations": 3}))
    assert image.meta["GADGETRON_ImageComment"] == image.meta["ImageComments"]
    assert image.meta["ImageProcessingHistory"] == ["deepgadgets", "cg_sense"]
    assert image.meta["ImageRowDir"] == ["1.000000000000000000", "0.000000000000000000", "0.000000000000000000"]
    assert "IceMiniHead" not in image.meta


@pytest.mark.parametrize(
    ("properties", "message"),
    [
        ({"method": "cgsense"}, "no method 'cgsense'; there are: .*cg_sense"),
        ({"iterationen": "3"}, "no setting iterationen; it has: iterations"),
        ({"iterations": "many"}, "iterations is 'many', expected an integer"),
        ({"device": "abacus"}, "no device 'abacus'; there are: auto, cpu"),
        ({"method": "rss", "damping": "1"}, "Rss has no setting damping"),
    ],
)
def test_properties_are_checked_when_the_gadget_is_loaded(properties, message):
    with pytest.raises(ValueError, match=message):
        reconstruct.bind(properties)


def test_an_absent_gpu_is_refused():
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(ValueError, match="no device 'cuda'"):
        reconstruct.bind({"device": "cuda"})


def test_undersampled_data_without_a_reference_are_refused_naming_slice_and_repetition():
    with pytest.raises(ValueError, match="cg_sense at slice 3, repetition 2: .* calibration needs 8"):
        run(reconstruct, [recon_data(undersampled(3, slice=3, repetition=2))])


def test_samples_that_are_not_finite_are_refused_naming_slice_and_repetition():
    buffer = recon_buffer(random_kspace((1, 1, 1, 2, 1, 16, 16)), slice=1)
    buffer.data[3, 3] = np.inf
    with pytest.raises(ValueError, match="rss at slice 1, repetition 0: .* NaN or infinite"):
        run(reconstruct, [recon_data(buffer)], method="rss")


def test_slices_that_were_not_acquired_make_no_image():
    acquired = np.ones((2, 1, 1, 1, 1), bool)
    acquired[0] = False
    (image,) = images(run(reconstruct, [recon_data(recon_buffer(kspace(0, 1), acquired))]))
    assert image.slice == 1


def test_other_items_pass():
    text = Text("hello")
    assert run(reconstruct, [text]) == [text]
