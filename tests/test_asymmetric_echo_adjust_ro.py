import ismrmrd
import numpy as np
import pytest

from gadgets.asymmetric_echo_adjust_ro import asymmetric_echo_adjust_ro
from tests.support.splits import assert_same_acquisitions, outputs
from tests.support.streams import acquisition, acquisitions, header_xml, run

HEADER = header_xml((64, 8, 1), (32, 8, 1))
RNG = np.random.default_rng(0)


def echo(n, centre, **head):
    data = (RNG.standard_normal((2, n)) + 1j * RNG.standard_normal((2, n))).astype(np.complex64)
    return acquisition(data, center_sample=centre, **head)


@pytest.mark.parametrize(("n", "centre", "before"), [(48, 16, 16), (48, 32, 0), (50, 20, 12), (33, 31, 1)])
def test_the_centre_comes_to_the_middle(n, centre, before):
    given = echo(n, centre)
    (sent,) = acquisitions(run(asymmetric_echo_adjust_ro, [given], HEADER))
    assert sent.data.shape == (2, 64)
    np.testing.assert_array_equal(sent.data[:, before : before + n], given.data)
    assert np.count_nonzero(sent.data) == np.count_nonzero(given.data)
    np.testing.assert_array_equal(sent.data[:, 32], given.data[:, centre])
    assert (sent.number_of_samples, sent.center_sample) == (64, 32)
    assert (sent.discard_pre, sent.discard_post) == (before, 64 - n - before)


def test_samples_that_were_to_be_discarded_remain_so():
    (sent,) = acquisitions(run(asymmetric_echo_adjust_ro, [echo(48, 16, discard_pre=3, discard_post=2)], HEADER))
    assert (sent.discard_pre, sent.discard_post) == (19, 2)


def test_what_is_not_asymmetric_passes_unchanged():
    path = np.zeros((48, 2), np.float32)
    spoke = ismrmrd.Acquisition.from_array(echo(48, 16).data, path)
    spoke.center_sample = 5
    given = [
        echo(64, 32),
        echo(48, 24),
        echo(47, 23),
        echo(64, 10),
        echo(80, 20),
        echo(48, 16, flags=[ismrmrd.ACQ_IS_NOISE_MEASUREMENT]),
        spoke,
    ]
    assert_same_acquisitions(run(asymmetric_echo_adjust_ro, given, HEADER), given)


def test_a_stale_centre_is_the_middle_and_is_said_once(caplog):
    sent = acquisitions(run(asymmetric_echo_adjust_ro, [echo(32, 32, scan_counter=4), echo(32, 40)], HEADER))
    assert [a.center_sample for a in sent] == [16, 16]
    assert [a.number_of_samples for a in sent] == [32, 32]
    assert [r.getMessage() for r in caplog.records] == [
        "acquisition 4 has center_sample 32 of 32 samples; taken for the middle"
    ]


@pytest.mark.parametrize(("n", "centre", "before"), [(60, 20, 4), (60, 40, 0)])
def test_what_does_not_fit_goes_to_the_edge_and_is_said(caplog, n, centre, before):
    given = echo(n, centre, scan_counter=3)
    (sent,) = acquisitions(run(asymmetric_echo_adjust_ro, [given], HEADER))
    np.testing.assert_array_equal(sent.data[:, before : before + n], given.data)
    assert f"its centre is off by {before - (32 - centre)} samples" in caplog.text


def test_output_does_not_depend_on_how_acquisitions_arrive():
    found = outputs(asymmetric_echo_adjust_ro, [echo(48, 14 + i % 4, scan_counter=i) for i in range(30)], HEADER)
    for each in found:
        assert_same_acquisitions(each, found[0])


def test_an_unknown_encoding_space_is_refused():
    with pytest.raises(ValueError, match="acquisition 8 is of encoding space 1; the header describes 1"):
        run(asymmetric_echo_adjust_ro, [echo(48, 16, encoding_space_ref=1, scan_counter=8)], HEADER)
