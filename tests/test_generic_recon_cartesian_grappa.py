"""Images by GRAPPA in image space, in units of SNR."""

import numpy as np
import pytest
import torch

from gadgets.coil_sensitivities import coil_sensitivities
from gadgets.generic_recon_cartesian_grappa import generic_recon_cartesian_grappa
from gadgets.mri.calibration.inati import inati
from gadgets.mri.calibration.low_resolution import smooth_low_resolution
from gadgets.mri.fft import ifft
from gadgets.mri.kspace import KSpace
from gadgets.mri.phantom.scan import cartesian
from gadgets.mri.quality.errors import nrmse
from gadgets.outputs.images import metas_of, split
from tests.support.buffers import empty_buffer, random_kspace, recon_buffer, recon_data
from tests.support.streams import header_xml, run

HEADER = header_xml((32, 32, 1))
LINES = np.arange(32)
ALL = {"downstream_coil_compression": False}


def kspace(*slices, matrix=(32, 32, 1)):
    return np.stack([cartesian(matrix, coils=6, slice_index=s)[None, None] for s in slices])


def arrays(items, **properties):
    return run(generic_recon_cartesian_grappa, items, HEADER, **properties)


def pixels(items, **properties):
    return [abs(image.data[0]) for array in arrays(items, **properties) for image in split(array)]


def test_without_acceleration_it_is_the_combination():
    data = kspace(0, 4)
    (array,) = arrays([recon_data(recon_buffer(data))], **ALL)
    for loc in (0, 1):
        whole = KSpace.from_data(torch.from_numpy(data[loc, 0, 0]))
        csm = inati(smooth_low_resolution(whole), kernel=(5, 7, 7), as_gadgetron=True)
        expected = (csm.conj() * ifft(whole.data, (-3, -2, -1))).sum(dim=0)
        np.testing.assert_allclose(array.data.T[loc, 0, 0, 0], expected, atol=1e-5 * float(expected.abs().max()))


@pytest.mark.parametrize("step", [2, 3])
@pytest.mark.parametrize("first", [0, 1])
def test_unfolds_from_any_first_line(step, first):
    lines = np.arange(64)
    data = kspace(0, 4, matrix=(64, 64, 1))
    ref = recon_buffer(data, abs(lines - 32) < 12)
    full = pixels([recon_data((recon_buffer(data), ref))], **ALL)
    found = pixels([recon_data((recon_buffer(data, lines % step == first), ref))], **ALL)
    for one, other in zip(found, full, strict=True):
        folded = abs(sum(np.roll(other, round(i * 64 / step), axis=-2) for i in range(step)))
        inside = other > 0.05 * other.max()
        errors = [nrmse(image, other, inside, scaled=True) for image in (one, folded)]
        assert errors[0] < 0.2 * errors[1]
        # Units of SNR: intensity goes with the square root of the number of lines; damped kernels lose a little more.
        ratio = np.linalg.norm(one) / np.linalg.norm(other)
        assert ratio == pytest.approx(((lines % step == first).sum() / 64) ** 0.5, rel=0.05)


def test_calibration_lines_among_the_data_are_left_out():
    data = kspace(0)
    ref = recon_buffer(data, abs(LINES - 16) < 9)
    plain = recon_buffer(data, LINES % 2 == 0)
    more = recon_buffer(data, (LINES % 2 == 0) | (abs(LINES - 16) < 9))
    np.testing.assert_allclose(*(pixels([recon_data((each, ref))])[0] for each in (plain, more)), rtol=1e-5)
    # And without a reference they are one.
    np.testing.assert_allclose(*(pixels([recon_data(each)])[0] for each in ((plain, ref), more)), rtol=1e-5)


def test_what_was_calibrated_serves_later_buffers_of_the_slice():
    data, other = kspace(0, 4), kspace(4, 0)
    ref = recon_buffer(data, abs(LINES - 16) < 8)
    later = recon_buffer(data, LINES % 2 == 1, repetition=1)
    first, second = arrays([recon_data((recon_buffer(data, LINES % 2 == 0), ref)), recon_data(later)])
    (expected,) = arrays([recon_data((later, ref))])
    np.testing.assert_array_equal(second.data, expected.data)
    assert [image.image_index for array in (first, second) for image in split(array)] == [1, 2, 3, 4]
    # Another slice does not take it, and has nothing of its own.
    with pytest.raises(ValueError, match="slice 2 of encoding space 0: only 1 neighbouring lines of 32"):
        arrays([recon_data((later, ref)), recon_data(recon_buffer(other, LINES % 2 == 0, slice=2))])


def test_noise_is_of_unit_level_but_for_the_g_factor():
    """Pseudo-replicas: noise alone, unfolded by coefficients of a phantom."""
    data = kspace(0)
    ref = recon_data((recon_buffer(data, LINES % 2 == 0), recon_buffer(data, abs(LINES - 16) < 8)))
    noise = random_kspace((1, 1, 60, 6, 1, 32, 32))
    items = [ref, recon_data(recon_buffer(noise, LINES % 2 == 0))]
    *_, gfactors, images = arrays(items, send_out_gfactor=True, **ALL)
    spread = np.sqrt((abs(images.data.T[0, 0, :, 0, 0]) ** 2).mean(axis=0) / 2)
    g = gfactors.data.T[0, 0, 0, 0, 0].real
    # 60 complex replicas: 6.5 % of spread per pixel, and correlated pixels.
    assert np.median(spread / g) == pytest.approx(1, rel=0.03)
    assert (abs(spread / g - 1) < 0.4).mean() > 0.99


def test_maps_go_ahead_of_their_images():
    data = kspace(0)
    item = recon_data((recon_buffer(data, LINES % 2 == 0), recon_buffer(data, abs(LINES - 16) < 8)))
    gfactors, snr, images = arrays([item], send_out_gfactor=True, send_out_snr_map=True, image_series=3)
    np.testing.assert_allclose(snr.data * gfactors.data, images.data, rtol=1e-4, atol=1e-5)
    assert (gfactors.data.real > 0).all()
    heads = [array.headers[0, 0, 0] for array in (gfactors, snr, images)]
    assert [head.image_series_index for head in heads] == [23, 303, 4]
    metas = [metas_of(array)[0] for array in (gfactors, snr, images)]
    assert [meta["GADGETRON_DataRole"] for meta in metas] == ["Gfactor", "SNR_MAP", "Image"]
    assert ["Skip_processing_after_recon" in meta for meta in metas] == [True, False, False]
    # Complete data have no g-factor.
    assert len(arrays([recon_data(recon_buffer(data))], send_out_gfactor=True)) == 1


def test_only_the_first_channels_are_made():
    data = kspace(0)
    data[0, 0, 0, 2] *= 0.01
    two, by_number, by_energy = (
        pixels([recon_data(recon_buffer(each))], **settings)[0]
        for each, settings in (
            (data[:, :, :, :2], ALL),
            (data, {"downstream_coil_compression_num_modesKept": 2}),
            (data, {"downstream_coil_compression_thres": 0.01}),
        )
    )
    np.testing.assert_allclose(by_number, two)
    np.testing.assert_allclose(by_energy, two)


@pytest.mark.parametrize("steps", [(1, 2), (2, 1), (2, 2)])
def test_volumes(steps):
    """The coils lie around z, along which they hardly differ: turned by a quarter, the volume has them around x."""
    data = kspace(0, matrix=(24, 24, 24)).swapaxes(-1, -3)
    e2, e1 = np.arange(24)[:, None], np.arange(24)
    ref = recon_buffer(data, (abs(e2 - 12) < 8) & (abs(e1 - 12) < 8))
    (full,) = pixels([recon_data((recon_buffer(data), ref))], **ALL)
    (found,) = pixels([recon_data((recon_buffer(data, (e2 % steps[0] == 0) & (e1 % steps[1] == 0)), ref))], **ALL)
    folded = abs(sum(np.roll(full, (12 * i, 12 * j), (0, 1)) for i in range(steps[0]) for j in range(steps[1])))
    inside = full > 0.05 * full.max()
    assert nrmse(found, full, inside, scaled=True) < 0.3 * nrmse(folded, full, inside, scaled=True)


def test_what_was_sampled_is_in_the_meta():
    buffer = recon_buffer(
        kspace(0), LINES < 24, encoded_fov=(64, 80, 2), recon_fov=(64, 64, 2), recon_matrix=(32, 26, 1)
    )
    buffer.sampling.sampling_limits[1].max = 23
    (array,) = arrays([recon_data(empty_buffer(), buffer)], image_series=1)
    assert array.headers[0, 0, 0].image_series_index == 3
    (meta,) = metas_of(array)
    expected = {
        "encoding": "1",
        "encoding_FOV": ["64.0", "80.0", "2.0"],
        "recon_FOV": ["64.0", "64.0", "2.0"],
        "encoded_matrix": ["32", "32", "1"],
        "recon_matrix": ["32", "26", "1"],
        "sampling_limits_RO": ["0", "16", "31"],
        "sampling_limits_E1": ["0", "16", "23"],
        "sampling_limits_E2": ["0", "0", "0"],
    }
    assert {name: meta[name] for name in expected} == expected


def test_maps_are_refused_with_the_reason():
    items = run(coil_sensitivities, [recon_data(recon_buffer(kspace(0)))], HEADER)
    with pytest.raises(ValueError, match="calibrates on k-space, but was given maps: leave coil_sensitivities out"):
        arrays(items)


@pytest.mark.parametrize(
    ("properties", "words"),
    [
        ({"coil_map_kernel_size_readout": 4}, "coil_map_kernel_size_readout is 4, expected an odd number"),
        ({"downstream_coil_compression_num_modesKept": -1}, "downstream_coil_compression_num_modesKept is below 0"),
        ({"coil_map_algorithm": "Inati_Iter"}, "coil_map_algorithm"),
        ({"upstream": 1}, "unknown property 'upstream'; known: image_series"),
    ],
)
def test_properties_that_it_cannot_take(properties, words):
    with pytest.raises(ValueError, match=words):
        arrays([], **properties)
