import ismrmrd
import numpy as np
import pytest

from gadgets.acquisition_accumulate_trigger import acquisition_accumulate_trigger
from gadgets.bucket_to_buffer import bucket_to_buffer
from gadgets.mri.calibration.noise import whitening
from gadgets.noise_adjust import noise_adjust
from gadgets.remove_ro_oversampling import remove_ro_oversampling
from gadgets.simulate import simulate
from gadgets.stream.control import Text
from tests.support.splits import assert_same_acquisitions
from tests.support.streams import acquisitions, header_xml, run


def with_calibration(header, e1, e2=None):
    values = {"EmbeddedRefLinesE1": e1} | ({} if e2 is None else {"EmbeddedRefLinesE2": e2})
    inner = "".join(
        f"<userParameterLong><name>{name}</name><value>{value}</value></userParameterLong>"
        for name, value in values.items()
    )
    return header.replace(b"</ismrmrdHeader>", f"<userParameters>{inner}</userParameters></ismrmrdHeader>".encode())


def images(items, header):
    """Root sum of squares of what a simulated scan holds, by slice."""
    for gadget, properties in (
        (remove_ro_oversampling, {}),
        (acquisition_accumulate_trigger, {}),
        (bucket_to_buffer, {}),
    ):
        items = run(gadget, items, header, **properties)
    kspace = items[0].bits[0].data.data.T[:, 0, 0]
    axes = (-3, -2, -1)
    image = np.fft.fftshift(np.fft.ifftn(np.fft.ifftshift(kspace, axes), axes=axes, norm="ortho"), axes)
    return np.sqrt((abs(image) ** 2).sum(axis=1))


@pytest.mark.parametrize(
    ("matrix", "recon"),
    [((128, 64, 1), (64, 64, 1)), ((96, 63, 1), (64, 63, 1)), ((48, 32, 16), (32, 32, 16))],
)
def test_the_scan_reconstructs_to_the_true_image(matrix, recon):
    slices = 1 if matrix[2] > 1 else 2
    header = header_xml(matrix, recon, coils=4, limits={"slice": (0, slices - 1, 0)})
    found = run(simulate, [], header, noise=0.0, truth=True)
    true = [item for item in found if isinstance(item, ismrmrd.Image)]
    assert len(true) == slices
    measured = images([item for item in found if not isinstance(item, ismrmrd.Image)], header)
    for s, image in enumerate(true):
        assert (image.slice, image.data.dtype, image.data.shape) == (s, np.float32, (1, *recon[::-1]))
        # Neither is without ringing, and they ring differently.
        assert np.linalg.norm(measured[s] - image.data[0]) < 0.1 * np.linalg.norm(image.data[0])
    assert slices == 1 or np.linalg.norm(true[0].data - true[1].data) > 0.01 * np.linalg.norm(true[0].data)


def test_order_counters_flags_and_times():
    header = header_xml(
        (16, 6, 2), (8, 6, 2), coils=2, limits={"repetition": (0, 1, 0), "contrast": (0, 1, 0), "slice": (0, 2, 0)}
    )
    found = acquisitions(run(simulate, [], header))
    noise, data = found[0], found[1:]
    assert noise.is_flag_set(ismrmrd.ACQ_IS_NOISE_MEASUREMENT)
    assert [a.scan_counter for a in found] == list(range(len(found)))
    assert [a.acquisition_time_stamp for a in found[:4]] == [0, 4, 8, 12]
    names = ("repetition", "contrast", "slice", "kspace_encode_step_2", "kspace_encode_step_1")
    loops = [tuple(getattr(a.idx, name) for name in names) for a in data]
    assert loops == list(np.ndindex(2, 2, 3, 2, 6))
    sizes = {
        ismrmrd.ACQ_FIRST_IN_ENCODE_STEP1: 6,
        ismrmrd.ACQ_FIRST_IN_ENCODE_STEP2: 12,
        ismrmrd.ACQ_FIRST_IN_SLICE: 12,
        ismrmrd.ACQ_FIRST_IN_CONTRAST: 36,
        ismrmrd.ACQ_FIRST_IN_REPETITION: 72,
    }
    for first, size in sizes.items():
        assert [i for i, a in enumerate(data) if a.is_flag_set(first)] == list(range(0, 144, size))
        assert [i for i, a in enumerate(data) if a.is_flag_set(first + 1)] == list(range(size - 1, 144, size))
    assert [i for i, a in enumerate(data) if a.is_flag_set(ismrmrd.ACQ_LAST_IN_MEASUREMENT)] == [143]
    assert [data[12 * s].position[2] for s in range(3)] == [-4, 0, 4]
    sizes = {(a.number_of_samples, a.center_sample, a.active_channels, a.channel_mask[0]) for a in data}
    assert sizes == {(16, 8, 2, 3)}


def test_accelerated_scans_have_their_lattice_and_calibration_lines():
    header = header_xml((16, 12, 1), coils=2, acceleration=3)
    data = acquisitions(run(simulate, [], with_calibration(header, 4), noise=0.0))
    both, only = ismrmrd.ACQ_IS_PARALLEL_CALIBRATION_AND_IMAGING, ismrmrd.ACQ_IS_PARALLEL_CALIBRATION
    assert [a.idx.kspace_encode_step_1 for a in data] == [0, 3, 4, 5, 6, 7, 9]
    assert [a.idx.kspace_encode_step_1 for a in data if a.is_flag_set(both)] == [6]
    assert [a.idx.kspace_encode_step_1 for a in data if a.is_flag_set(only)] == [4, 5, 7]
    full = acquisitions(run(simulate, [], header_xml((16, 12, 1), coils=2), noise=0.0))
    for a in data:
        np.testing.assert_array_equal(a.data, full[a.idx.kspace_encode_step_1].data)


def test_calibration_lines_of_a_volume_are_a_block():
    header = with_calibration(header_xml((8, 6, 6), coils=1, acceleration=2), 2, 2)
    data = acquisitions(run(simulate, [], header, noise=0.0))
    only = [
        (a.idx.kspace_encode_step_2, a.idx.kspace_encode_step_1)
        for a in data
        if a.is_flag_set(ismrmrd.ACQ_IS_PARALLEL_CALIBRATION)
    ]
    assert only == [(2, 2), (3, 2)]


def test_lines_at_random_are_others_in_each_image_and_as_many():
    limits = {"phase": (0, 5, 0)}
    header = with_calibration(header_xml((16, 48, 1), coils=2, acceleration=4, limits=limits), 4)
    data = acquisitions(run(simulate, [], header, noise=0.0, random=True))
    lines = [[a.idx.kspace_encode_step_1 for a in data if a.idx.phase == phase] for phase in range(6)]
    regular = acquisitions(run(simulate, [], header, noise=0.0))
    assert {len(image) for image in lines} == {len(regular) // 6}
    assert all(image == sorted(set(image)) and {22, 23, 24, 25} <= set(image) for image in lines)
    assert len({tuple(image) for image in lines}) == 6
    both = ismrmrd.ACQ_IS_PARALLEL_CALIBRATION_AND_IMAGING
    assert [a.idx.kspace_encode_step_1 for a in data if a.is_flag_set(both)] == [22, 23, 24, 25] * 6
    assert not any(a.is_flag_set(ismrmrd.ACQ_IS_PARALLEL_CALIBRATION) for a in data)
    full = acquisitions(run(simulate, [], header_xml((16, 48, 1), coils=2, limits=limits), noise=0.0))
    for a in data:
        np.testing.assert_array_equal(a.data, full[48 * a.idx.phase + a.idx.kspace_encode_step_1].data)
    again, other = (acquisitions(run(simulate, [], header, noise=0.0, random=True, seed=seed)) for seed in (0, 1))
    assert_same_acquisitions(data, again)
    assert [a.idx.kspace_encode_step_1 for a in other] != [a.idx.kspace_encode_step_1 for a in data]


def test_a_heart_beats_in_the_phases_of_a_scan():
    limits = {"phase": (0, 3, 0), "slice": (0, 1, 0)}
    found = run(simulate, [], header_xml((64, 64, 1), coils=2, limits=limits), noise=0.0, truth=True)
    data = acquisitions([item for item in found if not isinstance(item, ismrmrd.Image)])
    assert [(a.idx.phase, a.idx.slice) for a in data[::64]] == list(np.ndindex(4, 2))
    for offset, flag in ((0, ismrmrd.ACQ_FIRST_IN_PHASE), (127, ismrmrd.ACQ_LAST_IN_PHASE)):
        assert [i for i, a in enumerate(data) if a.is_flag_set(flag)] == list(range(offset, 512, 128))
    true = {(item.phase, item.slice): item.data[0, 0] for item in found if isinstance(item, ismrmrd.Image)}
    assert list(true) == list(np.ndindex(4, 2))
    # The heart comes back as it went, and is smallest half-way. Around it nothing moves but the ringing of its rim.
    np.testing.assert_allclose(true[1, 0], true[3, 0], atol=1e-5)
    quarter, half = (abs(true[phase, 0] - true[0, 0]) for phase in (1, 2))
    assert half.sum() > quarter.sum() > 0
    assert half[:12].max() < 0.1 * half.max()


def test_partial_fourier_leaves_out_the_first_lines():
    full = acquisitions(run(simulate, [], header_xml((16, 12, 1), coils=2), noise=0.0))
    header = header_xml((16, 12, 1), coils=2, limits={"kspace_encoding_step_1": (0, 8, 3)})
    part = acquisitions(run(simulate, [], header, noise=0.0))
    assert [a.idx.kspace_encode_step_1 for a in part] == list(range(9))
    for a, b in zip(part, full[3:], strict=True):
        np.testing.assert_array_equal(a.data, b.data)


@pytest.mark.parametrize("bandwidth", [None, 1.0])
def test_noise_is_correlated_as_its_scan_says(bandwidth):
    header = header_xml((512, 64, 1), coils=4, bandwidth=bandwidth)
    clean = acquisitions(run(simulate, [], header, noise=0.0))
    noisy = acquisitions(run(simulate, [], header, noise=0.05))
    scan, noisy = noisy[0], noisy[1:]
    noise = np.concatenate([a.data - b.data for a, b in zip(noisy, clean, strict=True)], axis=1)
    covariance = noise @ noise.conj().T / noise.shape[1]
    measured = scan.data @ scan.data.conj().T / scan.data.shape[1]
    factor = 5.0 / 2.5 * (bandwidth or 0.793)
    np.testing.assert_allclose(measured / factor, covariance, atol=0.03 * abs(covariance).max())
    assert abs(covariance[0, 1]) > 0.2 * abs(covariance[0, 0])
    assert whitening(covariance).shape == (4, 4)
    largest = max(item.data.max() for item in run(simulate, [], header, truth=True) if isinstance(item, ismrmrd.Image))
    np.testing.assert_allclose(np.sqrt(np.trace(covariance).real / 8), 0.05 * largest, rtol=0.03)
    adjusted = acquisitions(run(noise_adjust, [scan, *noisy], header))
    clean_adjusted = acquisitions(run(noise_adjust, [scan, *clean], header))
    rest = np.concatenate([a.data - b.data for a, b in zip(adjusted, clean_adjusted, strict=True)], axis=1)
    np.testing.assert_allclose(np.cov(np.concatenate([rest.real, rest.imag])), np.eye(8), atol=0.05)


def test_a_seed_says_the_noise_and_noise_is_fresh():
    header = header_xml((32, 16, 1), coils=2, limits={"repetition": (0, 1, 0)})
    first, again, other = (run(simulate, [], header, seed=seed, noise_scan=False) for seed in (1, 1, 2))
    assert_same_acquisitions(first, again)
    one, two = acquisitions(first)[0].data, acquisitions(other)[0].data
    assert not np.array_equal(one, two)
    assert not np.array_equal(one, acquisitions(first)[16].data)


def test_what_comes_in_goes_out_first():
    found = run(simulate, [Text("a")], header_xml((16, 6, 1), coils=1))
    assert isinstance(found[0], Text)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (header_xml(trajectory="radial"), "one encoding space, cartesian"),
        (header_xml(spaces=2), "one encoding space, cartesian"),
        (header_xml((16, 12, 1), (16, 8, 1)), "along y, the encoded space is 12 points"),
        (header_xml(limits={"kspace_encoding_step_1": (0, 15, 4)}), "kspace_encoding_step_1 do not fit"),
    ],
)
def test_headers_that_cannot_be_simulated_are_refused(header, message):
    with pytest.raises(ValueError, match=message):
        run(simulate, [], header)
