import ismrmrd
import numpy as np
import pytest

from gadgets.remove_ro_oversampling import remove_ro_oversampling
from gadgets.stream.control import Text
from tests.support.splits import assert_same_acquisitions, outputs
from tests.support.streams import acquisition, acquisitions, header_xml, run

RNG = np.random.default_rng(0)


def samples(*shape):
    return (RNG.standard_normal(shape) + 1j * RNG.standard_normal(shape)).astype(np.complex64)


def centred(transform, data):
    return np.fft.fftshift(transform(np.fft.ifftshift(data, -1), norm="ortho"), -1)


@pytest.mark.parametrize(("encoded", "recon"), [(32, 16), (48, 32), (30, 15), (33, 11), (45, 30)])
def test_the_middle_of_the_field_of_view_remains(encoded, recon):
    data = samples(3, encoded)
    (sent,) = acquisitions(run(remove_ro_oversampling, [acquisition(data)], header_xml((encoded, 8, 1), (recon, 8, 1))))
    image = centred(np.fft.ifft, data.astype(complex))
    first = encoded // 2 - recon // 2
    expected = centred(np.fft.fft, image[:, first : first + recon])
    np.testing.assert_allclose(sent.data, expected, atol=1e-5)
    assert (sent.number_of_samples, sent.center_sample) == (recon, encoded // 2 * recon // encoded)


def test_header_follows_the_samples():
    given = acquisition(samples(2, 64), center_sample=24, discard_pre=9, discard_post=5, scan_counter=7)
    (sent,) = acquisitions(run(remove_ro_oversampling, [given], header_xml((64, 8, 1), (32, 8, 1))))
    found = (sent.number_of_samples, sent.center_sample, sent.discard_pre, sent.discard_post, sent.scan_counter)
    assert found == (32, 12, 4, 2, 7)


def test_short_acquisitions_are_cropped_by_the_same_ratio():
    (sent,) = acquisitions(
        run(remove_ro_oversampling, [acquisition(samples(2, 40))], header_xml((64, 8, 1), (32, 8, 1)))
    )
    assert sent.data.shape == (2, 20)


def test_what_is_not_oversampled_passes_unchanged():
    data = [acquisition(samples(2, 16)), acquisition(samples(2, 16))]
    assert_same_acquisitions(run(remove_ro_oversampling, data, header_xml()), data)
    assert_same_acquisitions(run(remove_ro_oversampling, data, header_xml((16, 8, 1), (32, 8, 1))), data)


def test_noise_and_acquisitions_with_a_trajectory_pass_unchanged(caplog):
    caplog.set_level("INFO")
    noise = acquisition(samples(2, 32), flags=[ismrmrd.ACQ_IS_NOISE_MEASUREMENT])
    path = RNG.standard_normal((32, 2)).astype(np.float32)
    spoke = ismrmrd.Acquisition.from_array(samples(2, 32), path)
    given = [noise, spoke, spoke]
    assert_same_acquisitions(run(remove_ro_oversampling, given, header_xml((32, 8, 1), (16, 8, 1))), given)
    assert caplog.text.count("keep their oversampling") == 1


def test_output_does_not_depend_on_how_acquisitions_arrive():
    items = [
        acquisition(samples(2, 32), scan_counter=i, flags=[19] if i % 7 == 3 else [], center_sample=16 - i % 3)
        for i in range(40)
    ]
    items.insert(20, Text("between"))
    found = outputs(remove_ro_oversampling, items, header_xml((32, 8, 1), (16, 8, 1)))
    for each in found:
        assert_same_acquisitions(each, found[0])
    assert [isinstance(i, Text) for i in found[1]].index(True) == 20


def test_each_encoding_space_has_its_own_field_of_view():
    header = header_xml((32, 8, 1), (16, 8, 1), spaces=2)
    second = header.rindex(b"<x>64.0</x>")
    header = header[:second] + b"<x>32.0</x>" + header[second + 11 :]
    given = [acquisition(samples(2, 32), encoding_space_ref=i % 2) for i in range(4)]
    sent = acquisitions(run(remove_ro_oversampling, given, header))
    assert [a.number_of_samples for a in sent] == [16, 32, 16, 32]
    given[1].encoding_space_ref, given[1].scan_counter = 4, 9
    with pytest.raises(ValueError, match="acquisition 9 is of encoding space 4; the header describes 2"):
        run(remove_ro_oversampling, given, header)
