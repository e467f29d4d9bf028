import numpy as np
import pytest

from gadgets import recon_buffers, tensors
from gadgets.coil_sensitivities import coil_sensitivities
from gadgets.mri.phantom.scan import cartesian, coil_maps, truth
from gadgets.receivers import receivers_message
from gadgets.stream.codec import encode
from gadgets.stream.control import Text
from gadgets.stream.transport import decoded
from tests.support.buffers import empty_buffer, recon_buffer, recon_data
from tests.support.streams import run

METHODS = ("espirit", "walsh", "inati", "nlinv")
MATRIX, COILS, ACS = (32, 32, 1), 4, slice(8, 24)


def kspace(*slices):
    """(LOC, 1, 1, CHA, 1, 32, 32) of the phantom."""
    return np.stack([cartesian(MATRIX, coils=COILS, slice_index=s)[None, None] for s in slices])


def undersampled(*slices, **head):
    return recon_buffer(kspace(*slices), np.arange(32) % 2 == 0, **head)


def calibration(*slices, **head):
    lines = np.zeros(32, bool)
    lines[ACS] = True
    return recon_buffer(kspace(*slices), lines, **head)


def maps(item, bit=0):
    assert recon_buffers.holds_maps(item.bits[bit].ref)
    return tensors.tensor(item.bits[bit].ref.data).numpy()


def test_maps_are_those_of_the_coils_slice_by_slice():
    (sent,) = run(coil_sensitivities, [recon_data((undersampled(0, 1), calibration(0, 1)))])
    csm = maps(sent)
    assert csm.shape == (2, 1, 1, COILS, 1, 32, 32)
    expected = coil_maps(MATRIX, coils=COILS)
    expected = expected / np.linalg.norm(expected, axis=0)
    for loc in range(2):
        inside = (abs(csm[loc, 0, 0]).sum(axis=0) > 0) & (abs(truth(MATRIX, slice_index=loc)) > 0.1)
        assert inside.mean() > 0.2
        overlap = abs((csm[loc, 0, 0].conj() * expected).sum(axis=0))[inside]
        assert overlap.mean() > 0.99


def test_data_and_maps_survive_the_wire():
    (sent,) = run(coil_sensitivities, [recon_data((undersampled(0), calibration(0)))])
    (copy,) = decoded(b"".join(encode(sent)))
    np.testing.assert_array_equal(maps(copy), maps(sent))
    np.testing.assert_array_equal(copy.bits[0].data.data, sent.bits[0].data.data)
    (again,) = run(coil_sensitivities, [copy])
    assert again.bits[0].ref is copy.bits[0].ref


def test_without_a_reference_the_centre_of_the_data_serves():
    lines = np.arange(32) % 2 == 0
    lines[ACS] = True
    (whole,) = run(coil_sensitivities, [recon_data(recon_buffer(kspace(0), lines))])
    (referenced,) = run(coil_sensitivities, [recon_data((undersampled(0), calibration(0)))])
    # The region found in the data is that of the reference and the lines next to it.
    overlap = abs((maps(whole).conj() * maps(referenced)).sum(axis=3))
    assert overlap[overlap > 0].mean() > 0.99


def test_later_repetitions_without_a_reference_keep_the_maps_of_their_slice():
    items = [
        recon_data((undersampled(0, slice=0), calibration(0, slice=0))),
        recon_data((undersampled(3, slice=3), calibration(3, slice=3))),
        recon_data(undersampled(3, slice=3, repetition=1)),
        recon_data(undersampled(0, slice=0, repetition=1)),
    ]
    sent = [maps(item) for item in run(coil_sensitivities, items)]
    np.testing.assert_array_equal(sent[3], sent[0])
    np.testing.assert_array_equal(sent[2], sent[1])
    assert abs(sent[0] - sent[1]).max() > 0.1


def test_a_reference_may_come_before_its_data():
    alone = [recon_data((empty_buffer(), calibration(s, slice=s))) for s in (0, 3)]
    data = [undersampled(s, slice=s) for s in (3, 0)]
    sent = run(coil_sensitivities, [*alone, *map(recon_data, data)])
    for item, s in zip(sent[2:], (3, 0), strict=True):
        (together,) = run(coil_sensitivities, [recon_data((undersampled(s, slice=s), calibration(s, slice=s)))])
        np.testing.assert_allclose(maps(item), maps(together), atol=1e-5)


def test_several_contrasts_share_maps():
    both = np.concatenate([kspace(0), 0.5j * kspace(0)], axis=2)
    (sent,) = run(coil_sensitivities, [recon_data((recon_buffer(both, np.arange(32) % 2 == 0), calibration(0)))])
    assert maps(sent).shape[:3] == (1, 1, 1)


@pytest.mark.parametrize("referenced", [False, True])
def test_the_average_of_frames_is_calibrated_from_where_no_frame_can_be(referenced):
    # Every fourth line, another one in each frame, and two central lines in all of them, which are the reference.
    frames = np.concatenate([kspace(0)] * 4, axis=2)
    central = np.isin(np.arange(32), (15, 16))
    lines = ((np.arange(32) % 4 == np.arange(4)[:, None]) | central)[None, None, :, None]
    own = recon_buffer(frames, central) if referenced else None
    item = recon_data((recon_buffer(frames, lines), own))
    with pytest.raises(ValueError, match="calibration needs 8"):
        run(coil_sensitivities, [item])
    (sent,) = run(coil_sensitivities, [item], average=True)
    few = recon_data((recon_buffer(frames, central), own))
    with pytest.raises(ValueError, match="too few lines" if referenced else "has no reference"):
        run(coil_sensitivities, [few], average=True)
    (full,) = run(coil_sensitivities, [recon_data(recon_buffer(kspace(0)))])
    np.testing.assert_allclose(maps(sent), maps(full), atol=1e-5)


def test_nothing_to_calibrate_from_is_refused_naming_the_slice():
    with pytest.raises(ValueError, match="slice 3 of encoding space 0, from its own data .* calibration needs 8"):
        run(coil_sensitivities, [recon_data(undersampled(3, slice=3))])


def test_headers_that_promise_a_reference_are_not_believed():
    # A reference of which no line was acquired.
    absent = recon_buffer(kspace(0), np.zeros(32, bool))
    with pytest.raises(ValueError, match="from its own data"):
        run(coil_sensitivities, [recon_data((undersampled(0), absent))])


def test_slices_that_were_not_acquired_have_no_maps():
    acquired = np.ones((2, 1, 1, 1, 1), bool)
    acquired[0] = False
    (sent,) = run(coil_sensitivities, [recon_data(recon_buffer(kspace(0, 1), acquired))])
    csm = maps(sent)
    assert not csm[0].any()
    assert csm[1].any()


def test_other_items_and_empty_encoding_spaces_pass():
    text = Text("hello")
    item = recon_data(empty_buffer(), (undersampled(0), calibration(0)))
    first, second = run(coil_sensitivities, [text, item])
    assert first is text
    assert second.bits[0] is item.bits[0]
    assert maps(second, bit=1).any()


def test_support_says_how_much_of_the_image_is_kept():
    item = recon_data((undersampled(0), calibration(0)))
    kept = [abs(maps(run(coil_sensitivities, [item], support=s)[0])).sum(axis=3) > 0 for s in (0, 0.5, 0.95)]
    assert kept[0].all()
    assert kept[0].sum() > kept[1].sum() > kept[2].sum() > 0


@pytest.mark.parametrize("method", METHODS)
def test_every_method_finds_the_maps_of_the_coils(method):
    (sent,) = run(coil_sensitivities, [recon_data((undersampled(0, 3), calibration(0, 3)))], method=method)
    expected = coil_maps(MATRIX, coils=COILS)
    expected = expected / np.linalg.norm(expected, axis=0)
    for loc, s in enumerate((0, 3)):
        csm = maps(sent)[loc, 0, 0]
        inside = (abs(csm).sum(axis=0) > 0) & (abs(truth(MATRIX, slice_index=s)) > 0.15)
        assert inside.mean() > 0.2
        np.testing.assert_allclose(np.linalg.norm(csm, axis=0)[inside], 1, atol=1e-4)
        assert np.median(abs((csm.conj() * expected).sum(axis=0))[inside]) > 0.98


def test_with_nlinv_few_central_lines_are_enough():
    lines = np.arange(32) % 2 == 0
    lines[13:19] = True
    few = np.zeros(32, bool)
    few[13:19] = True
    data, short = recon_buffer(kspace(0), lines), recon_buffer(kspace(0), few)
    with pytest.raises(ValueError, match="calibration needs 8"):
        run(coil_sensitivities, [recon_data((data, short))])
    by_reference, by_data = (
        run(coil_sensitivities, [i], method="nlinv")[0] for i in (recon_data((data, short)), recon_data(data))
    )
    # So few lines of a reference are left alone, where there are data.
    np.testing.assert_array_equal(maps(by_reference), maps(by_data))
    expected = coil_maps(MATRIX, coils=COILS)
    overlap = abs((maps(by_data)[0, 0, 0].conj() * expected / np.linalg.norm(expected, axis=0)).sum(axis=0))
    assert np.median(overlap[abs(truth(MATRIX)) > 0.15]) > 0.98


@pytest.mark.parametrize("properties", [{"support": 0.5}, {"sets": 2}, {"soft": True}])
def test_some_properties_are_for_espirit(properties):
    with pytest.raises(
        ValueError, match=f"{next(iter(properties))} is for method 'espirit'; maps of 'walsh' are one set"
    ):
        run(coil_sensitivities, [recon_data(undersampled(0))], method="walsh", **properties)


def test_several_sets_of_maps_are_channels_one_after_the_other():
    items = [recon_data((undersampled(0, slice=0), calibration(0, slice=0))), recon_data(undersampled(0, slice=0))]
    first, again = (maps(item) for item in run(coil_sensitivities, items, sets=2))
    assert first.shape == (1, 1, 1, 2 * COILS, 1, 32, 32)
    np.testing.assert_array_equal(again, first)
    (one,) = run(coil_sensitivities, items[:1])
    np.testing.assert_allclose(first[:, :, :, :COILS], maps(one), atol=1e-3)
    (faded,) = run(coil_sensitivities, items[:1], soft=True)
    energy = np.linalg.norm(maps(faded), axis=3)
    assert ((energy > 0.01) & (energy < 0.99)).any()
    with pytest.raises(ValueError, match="sets is 0, expected 1 or more"):
        run(coil_sensitivities, items, sets=0)


def test_a_method_that_there_is_not_is_refused_with_those_that_there_are():
    with pytest.raises(ValueError, match="'walsch', expected one of 'espirit', 'walsh', 'inati', 'nlinv'"):
        run(coil_sensitivities, [recon_data(undersampled(0))], method="walsch")


def test_channels_described_at_other_places_are_refused():
    message = receivers_message(np.ones((16, COILS, COILS)))
    with pytest.raises(ValueError, match="channels at 16 places along the readout, the data have 32"):
        run(coil_sensitivities, [message, recon_data((undersampled(0), calibration(0)))])
