import h5py
import ismrmrd
import numpy as np
import pytest

from gadgets.acquisition_accumulate_trigger import acquisition_accumulate_trigger
from gadgets.asymmetric_echo_adjust_ro import asymmetric_echo_adjust_ro
from gadgets.bucket_to_buffer import bucket_to_buffer
from gadgets.coil_compression import coil_compression
from gadgets.noise_adjust import noise_adjust
from gadgets.remove_ro_oversampling import remove_ro_oversampling
from tests.support.streams import acquisitions, run


def read(path):
    with ismrmrd.Dataset(str(path), "dataset", False) as dataset:
        n = dataset.number_of_acquisitions()
        return dataset.read_xml_header(), [dataset.read_acquisition(i) for i in range(n)]


def sorted_data(items, header):
    items = run(remove_ro_oversampling, items, header)
    items = run(
        acquisition_accumulate_trigger, items, header, trigger_dimension="repetition", sorting_dimension="slice"
    )
    return run(bucket_to_buffer, items, header, split_slices=True)


def root_sum_of_squares(buffer):
    axes = (-3, -2, -1)
    images = np.fft.fftshift(np.fft.ifftn(np.fft.ifftshift(buffer.data.T, axes), axes=axes, norm="ortho"), axes)
    return np.sqrt((abs(images) ** 2).sum(axis=3)).squeeze()


@pytest.mark.data
@pytest.mark.parametrize(
    "name", ["brain_gre_3T_16ch_full", "phantom_gre_3T_16ch_full", "brain_gre_3T_16ch_retroR2_acs24_noise"]
)
def test_images_are_those_of_the_cpp_gadgetron(data_dir, name):
    reference = data_dir.parent / "reference" / f"{name}__default.h5"
    if not reference.is_file():
        pytest.skip(f"no reference image of {name} beside the scanner data")
    header, items = read(data_dir / "mrd" / f"{name}.h5")
    (recon,) = sorted_data(items, header)
    with h5py.File(reference) as file:
        (group,) = file.values()
        expected = np.squeeze(group["image_0"]["data"][()])
    image = root_sum_of_squares(recon.bits[0].data)
    assert np.linalg.norm(image - expected) < 1e-5 * np.linalg.norm(expected)


@pytest.mark.data
def test_noise_of_an_accelerated_scan_is_white_and_few_channels_hold_its_signal(data_dir):
    header, items = read(data_dir / "mrd" / "brain_gre_3T_16ch_retroR2_acs24_noise.h5")
    noise = run(noise_adjust, [items[0], ismrmrd.Acquisition.from_array(items[0].data)], header)
    # The second one is the noise again, as image data of no dwell time: factor 1, and E|n|^2 = 1.
    samples = acquisitions(noise)[0].data
    np.testing.assert_allclose(samples @ samples.conj().T / samples.shape[1], np.eye(16), atol=2e-3)
    adjusted = run(asymmetric_echo_adjust_ro, run(noise_adjust, items, header), header)
    (full,), (compressed,) = (
        sorted_data(each, header) for each in (adjusted, run(coil_compression, adjusted, header, energy=0.99))
    )
    buffers = [each.bits[0].ref for each in (full, compressed)]
    kept = buffers[1].data.shape[3]
    assert 1 < kept < 16
    energies = [np.linalg.norm(buffer.data) ** 2 for buffer in buffers]
    assert 0.99 <= energies[1] / energies[0] < 0.999
    lines = np.flatnonzero(abs(buffers[0].data).sum(axis=(0, 2, 3, 4, 5, 6)))
    assert lines.tolist() == list(range(52, 76))
