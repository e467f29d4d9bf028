"""Partial Fourier behind parallel imaging."""

import ismrmrd
import numpy as np
import pytest
import torch

from gadgets.generic_recon_cartesian_grappa import generic_recon_cartesian_grappa
from gadgets.mri.fft import ifft
from gadgets.mri.methods import create
from gadgets.mri.quality.errors import nrmse
from gadgets.outputs.images import metas_of
from gadgets.partial_fourier import partial_fourier
from gadgets.reconstruct import reconstruct
from tests.support.buffers import image_array, random_kspace, recon_buffer, recon_data
from tests.support.smooth_phase import part, smooth_phase
from tests.support.streams import header_xml, run

N = 64
HEADER = header_xml((N, N, 1), acceleration=2)


def accelerated(last):
    """Every second line up to `last`, and 16 calibration lines: recon data, and the magnitude of the truth."""
    data, expected = smooth_phase(N)
    kspace = data.numpy()[None, None, None]
    lines = np.arange(N)
    buffer = recon_buffer(kspace, (lines % 2 == 0) & (lines <= last))
    buffer.sampling.sampling_limits[1].max = last
    return recon_data((buffer, recon_buffer(kspace, abs(lines - N // 2) < 8))), expected.numpy()[0]


def images(items, **properties):
    return [abs(array.data.T.squeeze()) for array in run(partial_fourier, items, HEADER, **properties)]


@pytest.mark.parametrize(
    ("gadget", "settings"), [(generic_recon_cartesian_grappa, {}), (reconstruct, {"method": "grappa"})]
)
@pytest.mark.parametrize("method", ["pocs_partial_fourier", "homodyne"])
def test_five_eighths_of_half_of_the_lines(gadget, settings, method):
    items, expected = accelerated(39)
    folded = run(gadget, [items], HEADER, **settings)
    (zero_filled,) = [abs(array.data.T.squeeze()) for array in folded]
    (found,) = images(folded, method=method)
    # All of the lines, unfolded and combined in the same way: what remains without partial Fourier.
    (complete,) = [abs(a.data.T.squeeze()) for a in run(gadget, [accelerated(N - 1)[0]], HEADER, **settings)]
    error, without, floor = (nrmse(image, expected[0], scaled=True) for image in (found, zero_filled, complete))
    assert error < 0.5 * without
    # On coil images of all lines, where nothing was unfolded, the methods are off by up to 0.055.
    assert error < floor + 0.055


@pytest.mark.parametrize("method", ["pocs_partial_fourier", "homodyne"])
@pytest.mark.parametrize("k1", [slice(0, 40), slice(24, N)])
def test_with_one_coil_it_is_the_method_itself(method, k1):
    data, _ = smooth_phase(N, coils=1)
    kspace = part(data, k1)
    expected = create(method, {})(kspace, torch.ones_like(data))
    (found,) = run(partial_fourier, [combined(kspace.data, E1=(k1.start, k1.stop - 1))], header_xml((N, N, 1)),
                   method=method)  # fmt: skip
    # Intensities are up to 1. Where there is no signal, the phase follows the rounding.
    np.testing.assert_allclose(found.data.T[0, 0, 0], expected, atol=1e-3)
    (meta,) = metas_of(found)
    assert meta["sampling_limits_E1"] == ["0", "32", "63"]
    assert meta["ImageProcessingHistory"] == ["a", method]
    assert repr(create(method, {})) in meta["ImageComments"]


def combined(kspace, **limits):
    """An image array of combined images of k-space, with what was sampled in its meta."""
    images = image_array(ifft(kspace, (-3, -2, -1)).numpy()[None, None, None])
    meta = {"ImageProcessingHistory": "a", "encoding": "0"}
    for axis, length in zip(("E2", "E1", "RO"), kspace.shape[-3:], strict=True):
        first, last = limits.get(axis, (0, length - 1))
        meta[f"sampling_limits_{axis}"] = [str(first), str(length // 2), str(last)]
    images.meta = [ismrmrd.Meta(meta).serialize()]
    return images


def test_settings_are_those_of_the_method():
    data, _ = smooth_phase(N, coils=1)
    items = [combined(part(data, slice(0, 40)).data, E1=(0, 39))]
    none, many = (run(partial_fourier, items, header_xml((N, N, 1)), iterations=n)[0].data for n in (0, 5))
    np.testing.assert_allclose(none, items[0].data, atol=1e-5)
    assert abs(many - none).max() > 0.1
    with pytest.raises(ValueError, match="method is 'cg_sense', expected pocs_partial_fourier or homodyne"):
        run(partial_fourier, items, method="cg_sense")


@pytest.mark.parametrize(
    "limits",
    [
        {},
        # Beyond the last line of a lattice with steps of 2.
        {"E1": (0, N - 2)},
        # As much missing on both sides: resolution, which nothing can be filled in for.
        {"E1": (16, 48), "RO": (8, 56)},
    ],
)
def test_complete_k_space_passes(limits):
    images = combined(smooth_phase(N, coils=1)[0], **limits)
    (found,) = run(partial_fourier, [images], HEADER)
    assert found is images


def test_what_it_cannot_know_it_says(caplog):
    bare = image_array(random_kspace((1, 1, 1, 1, 1, 8, 8)))
    assert run(partial_fourier, [bare, bare], HEADER) == [bare, bare]
    assert [record.message for record in caplog.records if "sampling_limits" in record.message] == [
        "images whose meta has no sampling_limits are left as they are"
    ]
    marked = combined(part(smooth_phase(N, coils=1)[0], slice(0, 40)).data, E1=(0, 39))
    marked.meta = [marked.meta[0].replace("<name>encoding<", "<name>Skip_processing_after_recon<")]
    assert run(partial_fourier, [marked], HEADER) == [marked]


def test_limits_of_another_matrix_are_refused():
    images = combined(smooth_phase(N, coils=1)[0])
    images.data = images.data[:, :48]
    with pytest.raises(ValueError, match=r"sampling_limits_E1 of an image are \[0, 32, 63\].*was its matrix changed"):
        run(partial_fourier, [images], HEADER)


def test_behind_zoom_and_crop_it_still_knows():
    """`reconstruct` with a larger matrix, and air cut off along y."""
    data, _ = smooth_phase(N)
    arrays = []
    for last in (47, N - 1):
        settings = {"recon_fov": (128, 120, 2), "recon_matrix": (96, 90, 1)}
        buffer = recon_buffer(data.numpy()[None, None, None], np.arange(N) <= last, **settings)
        buffer.sampling.sampling_limits[1].max = last
        arrays += run(reconstruct, [recon_data(buffer)], HEADER, method="adaptive_combine")
    (meta,) = metas_of(arrays[0])
    # 32 before and 15 behind the middle become, by the smaller field of view, 30 and 14.
    limits = [["16", "48", "79"], ["15", "45", "59"], ["0", "0", "0"]]
    assert [meta[f"sampling_limits_{axis}"] for axis in ("RO", "E1", "E2")] == limits
    zero_filled, complete = (abs(array.data) for array in arrays)
    (found,) = run(partial_fourier, arrays[:1], header_xml((N, N, 1)))
    assert np.linalg.norm(abs(found.data) - complete) < 0.6 * np.linalg.norm(zero_filled - complete)
