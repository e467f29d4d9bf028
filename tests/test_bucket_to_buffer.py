import ismrmrd
import numpy as np
import pytest
from gadgetron.types.acquisition_bucket import AcquisitionBucket
from gadgetron.types.recon_data import ReconData

from gadgets.bucket_to_buffer import bucket_to_buffer
from gadgets.properties import PropertyError
from gadgets.stream.bucket import Bucket, group, statistics
from gadgets.stream.codec import encode
from gadgets.stream.control import Text
from gadgets.stream.transport import decoded
from tests.support.streams import acquisition, header_xml, run

RNG = np.random.default_rng(0)


def line(counter=0, *, samples=8, coils=2, space=0, trajectory=None, value=None, **head):
    names = ("average", "slice", "contrast", "phase", "repetition", "set", "segment")
    index = {name: head.pop(name) for name in names if name in head}
    index |= {f"kspace_encode_step_{i}": head.pop(f"e{i}", 0) for i in (1, 2)}
    data = RNG.standard_normal((coils, samples)) + 1j * RNG.standard_normal((coils, samples))
    if value is not None:
        data[:] = value
    made = acquisition(data, idx=index, scan_counter=counter, encoding_space_ref=space, **head)
    if trajectory is not None:
        made.resize(samples, coils, trajectory.shape[1])
        made.data[:], made.traj[:] = data, trajectory
    return made


def bucket(data=(), ref=(), waveforms=()):
    return Bucket(group(list(data)), group(list(ref)), waveforms)


def recon(data=(), ref=(), header=None, **properties):
    found = run(bucket_to_buffer, [bucket(data, ref)], header or header_xml((8, 6, 1)), **properties)
    assert all(isinstance(item, ReconData) for item in found)
    return found


def limits(found, axis):
    limit = found.sampling.sampling_limits[axis]
    return limit.min, limit.center, limit.max


def shuffled(items):
    return [items[i] for i in np.random.default_rng(5).permutation(len(items))]


@pytest.mark.parametrize("split_slices", [False, True])
@pytest.mark.parametrize("contrast_axis", ["N_dimension", "S_dimension", None])
def test_every_line_of_a_shuffled_scan_lies_where_it_belongs(split_slices, contrast_axis):
    counters = [
        {"slice": s, "repetition": r, "contrast": c, "e1": e1, "e2": e2}
        for s in range(3) for r in range(2) for c in range(2) for e1 in range(6) for e2 in range(4)
    ]  # fmt: skip
    given = shuffled([line(i, **index) for i, index in enumerate(counters)])
    header = header_xml((8, 6, 4), limits={"slice": (0, 2, 0)})
    properties = {contrast_axis: "contrast"} if contrast_axis else {}
    found = recon(given, header=header, split_slices=split_slices, **properties)
    n, s = (2 if contrast_axis == name else 1 for name in ("N_dimension", "S_dimension"))
    keys = [
        (loc, c, r)
        for loc in (range(3) if split_slices else [None])
        for c in ([None] if contrast_axis else range(2))
        for r in range(2)
    ]
    assert len(found) == len(keys)
    seen = 0
    for (loc, c, r), each in zip(keys, found, strict=True):
        (bit,) = each.bits
        assert bit.ref is None
        assert bit.data.data.shape == (8, 6, 4, 2, n, s, 1 if split_slices else 3)
        assert bit.data.data.flags.f_contiguous
        assert bit.data.headers.shape == (6, 4, n, s, 1 if split_slices else 3)
        for a in given:
            idx = a.idx
            if idx.repetition != r or (loc is not None and idx.slice != loc) or (c is not None and idx.contrast != c):
                continue
            place = (
                idx.contrast if n == 2 else 0,
                idx.contrast if s == 2 else 0,
                0 if split_slices else idx.slice,
            )
            e1, e2 = idx.kspace_encode_step_1, idx.kspace_encode_step_2
            np.testing.assert_array_equal(bit.data.data[(slice(None), e1, e2, slice(None), *place)], a.data.T)
            assert bytes(bit.data.headers[(e1, e2, *place)]) == bytes(a.getHead())
            seen += 1
    assert seen == len(given)


def test_buffers_do_not_depend_on_how_acquisitions_are_cut_into_blocks():
    given = shuffled([line(i, slice=i % 3, e1=i // 3) for i in range(18)])
    one = run(bucket_to_buffer, [bucket(given)], header_xml((8, 6, 1)))
    many = run(bucket_to_buffer, [Bucket([b for a in given for b in group([a])])], header_xml((8, 6, 1)))
    plain = run(
        bucket_to_buffer, [AcquisitionBucket(given, statistics(group(given)), [], [], [])], header_xml((8, 6, 1))
    )
    wire = run(bucket_to_buffer, decoded(b"".join(map(bytes, encode(bucket(given))))), header_xml((8, 6, 1)))
    written = [b"".join(map(bytes, encode(items[0]))) for items in (one, many, plain, wire)]
    assert written[0] == written[1] == written[2] == written[3]


@pytest.mark.parametrize(
    ("limit", "first", "places"),
    [((0, 5, 3), 0, (0, 3, 5)), ((0, 3, 1), 2, (2, 3, 5)), ((0, 4, 2), 1, (1, 3, 5)), ((2, 5, 3), 0, (2, 3, 5))],
)
def test_the_centre_of_the_limits_is_the_middle_of_the_matrix(limit, first, places):
    given = [line(i, e1=i) for i in range(limit[0], limit[1] + 1)]
    for acceleration in (None, 1):
        header = header_xml((8, 6, 1), limits={"kspace_encoding_step_1": limit}, acceleration=acceleration)
        ((bit,),) = recon(given, header=header)
        expected = np.zeros((8, 6, 2), complex)
        for a in given:
            expected[:, a.scan_counter + first] = a.data.T
        np.testing.assert_array_equal(bit.data.data[:, :, 0, :, 0, 0, 0], expected.astype(np.complex64))
        assert limits(bit.data, 1) == places


def test_the_centre_along_e2_is_the_middle_too():
    header = header_xml((8, 6, 4), limits={"kspace_encoding_step_2": (0, 2, 1)})
    ((bit,),) = recon([line(value=1, e2=0)], header=header)
    assert np.flatnonzero(abs(bit.data.data).sum(axis=(0, 1, 3, 4, 5, 6))).tolist() == [1]
    assert limits(bit.data, 2) == (1, 2, 3)


def test_a_reference_on_the_grid_of_the_data():
    data = [line(i, e1=i) for i in (0, 2, 4)]
    ref = [line(10 + i, e1=i, flags=[ismrmrd.ACQ_IS_PARALLEL_CALIBRATION]) for i in (2, 3)]
    ((bit,),) = recon(data, ref, header_xml((8, 6, 1), acceleration=2))
    assert bit.data.data.shape == bit.ref.data.shape == (8, 6, 1, 2, 1, 1, 1)
    np.testing.assert_array_equal(bit.ref.data[:, 3, 0, :, 0, 0, 0], ref[1].data.T)
    np.testing.assert_array_equal(bit.data.data[:, 2, 0, :, 0, 0, 0], data[1].data.T)
    assert np.flatnonzero(abs(bit.ref.data).sum(axis=(0, 2, 3, 4, 5, 6))).tolist() == [2, 3]


@pytest.mark.parametrize("mode", ["separate", "external"])
@pytest.mark.parametrize(("numbers", "centre"), [((2, 3, 4, 5), 1), ((20, 21, 22, 23), 2)])
def test_a_reference_acquired_apart_has_its_own_range(mode, numbers, centre):
    ref = [line(i, e1=i, samples=6) for i in numbers]
    ((bit,),) = recon([line()], ref, header_xml((8, 6, 1), acceleration=2, calibration=mode))
    assert bit.ref.data.shape == (8, 4, 1, 2, 1, 1, 1)
    np.testing.assert_array_equal(bit.ref.data[1:7, 2, 0, :, 0, 0, 0], ref[2].data.T)
    assert limits(bit.ref, 1) == (0, centre, 3)


def test_encoding_spaces_are_bits_and_may_be_empty():
    header = header_xml((8, 6, 1), spaces=3)
    given = [line(0, space=2, coils=3), line(1, repetition=1), line(2, space=2, coils=3, repetition=1)]
    found = recon(given, header=header)
    shapes = [[bit.data.data.shape[3] for bit in each.bits] for each in found]
    assert shapes == [[0, 0, 3], [2, 0, 3]]
    assert [item.bits[1].data.data.size for item in decoded(b"".join(map(bytes, encode(found[0]))))] == [0]


def test_a_reference_without_data_makes_an_empty_bit_with_a_reference():
    ((bit,),) = recon([], [line()])
    assert bit.data.data.size == 0
    assert bit.ref.data.shape == (8, 6, 1, 2, 1, 1, 1)


def test_averages_are_apart_and_segments_are_joined_if_asked():
    given = [line(i, average=a, segment=s, e1=i) for i, (a, s) in enumerate([(0, 0), (0, 1), (1, 0), (1, 1)])]
    assert len(recon(given)) == 4
    assert len(recon(given, ignore_segment=True)) == 2
    ((bit,),) = recon(given, ignore_segment=True, N_dimension="average")
    assert bit.data.data.shape[4] == 2
    ((bit,),) = recon(given, N_dimension="average", S_dimension="segment")
    assert bit.data.data.shape[4:6] == (2, 2)


def test_places_along_an_axis_begin_at_the_lowest_index():
    given = [line(i, contrast=c, slice=s) for i, (c, s) in enumerate([(2, 5), (3, 5), (2, 6), (3, 6)])]
    ((bit,),) = recon(given, N_dimension="contrast")
    assert bit.data.data.shape[4:] == (2, 1, 2)
    np.testing.assert_array_equal(bit.data.data[:, 0, 0, :, 1, 0, 1], given[3].data.T)


def test_of_lines_with_the_same_indices_the_last_stays_and_it_is_said(caplog):
    given = [line(0), line(1), line(2, e1=1), line(3)]
    ((bit,),) = recon(given)
    np.testing.assert_array_equal(bit.data.data[:, 0, 0, :, 0, 0, 0], given[3].data.T)
    assert bit.data.headers[0, 0, 0, 0, 0].scan_counter == 3
    assert [r.getMessage() for r in caplog.records] == [
        "2 acquisitions had the same indices as others, which they replace"
    ]


@pytest.mark.parametrize(
    ("samples", "centre", "size", "first"),
    [
        (32, 16, 32, 0),  # still oversampled
        (16, 8, 16, 0),  # cropped
        (12, 4, 16, 4),  # an echo that begins late
        (12, 8, 16, 0),  # one that ends early
        (12, 6, 16, 2),
        (24, 8, 32, 8),
        (40, 20, 40, 0),  # more than the header says
        (16, 99, 16, 0),  # a centre that is stale
    ],
)
def test_samples_are_placed_by_their_centre(samples, centre, size, first):
    header = header_xml((32, 6, 1), (16, 6, 1))
    given = line(samples=samples, center_sample=centre)
    ((bit,),) = recon([given], header=header)
    expected = np.zeros((size, 2), np.complex64)
    expected[first : first + samples] = given.data.T
    np.testing.assert_array_equal(bit.data.data[:, 0, 0, :, 0, 0, 0], expected)
    assert limits(bit.data, 0) == (first, size // 2, first + samples - 1)
    assert bit.data.sampling.encoded_matrix[0] == size
    assert bit.data.sampling.encoded_FOV[0] == (32.0 if size == 16 else 64.0)


def test_discarded_samples_stay_zero():
    given = line(discard_pre=2, discard_post=1)
    ((bit,),) = recon([given])
    np.testing.assert_array_equal(bit.data.data[2:7, 0, 0, :, 0, 0, 0], given.data.T[2:7])
    assert not bit.data.data[[0, 1, 7]].any()
    assert limits(bit.data, 0) == (2, 4, 6)


def test_a_stale_centre_is_said_once(caplog):
    recon([line(3, center_sample=8), line(4, e1=1, center_sample=9)])
    assert caplog.text.count("center_sample") == 1
    assert "acquisition 3 has center_sample 8 of 8 samples" in caplog.text


def test_sampling_description():
    header = header_xml((16, 6, 4), (8, 6, 4))
    ((bit,),) = recon([line()], header=header)
    described = bit.data.sampling
    assert (list(described.encoded_matrix), list(described.recon_matrix)) == ([8, 6, 4], [8, 6, 4])
    assert (list(described.encoded_FOV), list(described.recon_FOV)) == ([16, 12, 8], [16, 12, 8])


def test_acquisitions_with_a_trajectory_lie_in_order_with_it():
    paths = RNG.standard_normal((5, 8, 2)).astype(np.float32)
    given = shuffled([line(i, e1=i, trajectory=paths[i], discard_pre=1) for i in range(5)])
    header = header_xml((8, 6, 1), trajectory="radial", limits={"kspace_encoding_step_1": (0, 4, 0)})
    ((bit,),) = recon(given, header=header)
    assert bit.data.data.shape == (7, 5, 1, 2, 1, 1, 1)
    assert bit.data.trajectory.shape == (2, 7, 5, 1, 1, 1, 1)
    for a in given:
        np.testing.assert_array_equal(bit.data.data[:, a.scan_counter, 0, :, 0, 0, 0], a.data.T[1:])
        np.testing.assert_array_equal(bit.data.trajectory[:, :, a.scan_counter, 0, 0, 0, 0], a.traj.T[:, 1:])


def test_waveforms_go_ahead_and_other_items_pass():
    wave = ismrmrd.Waveform.from_array(np.zeros((1, 4), np.uint32))
    found = run(bucket_to_buffer, [Text("a"), bucket([line()], (), [wave]), Text("b")], header_xml((8, 6, 1)))
    assert [type(item) for item in found] == [Text, ismrmrd.Waveform, ReconData, Text]


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"e1": 6}, "acquisition 7 has kspace_encode_step_1 6, which is line 6 of a matrix of 6"),
        ({"e2": 1}, "acquisition 7 has kspace_encode_step_2 1, which is line 1 of a matrix of 1"),
        ({"coils": 3}, "acquisition 7 has 3 channels; the ones before it in encoding space 0 have 2"),
        ({"samples": 9}, "acquisition 7 has 9 samples; the ones before it in encoding space 0 have 8"),
        ({"space": 1}, "acquisition 7 is of encoding space 1; the header describes 1"),
        ({"value": np.nan}, "acquisition 7 holds NaN or infinite samples"),
        ({"value": np.inf}, "acquisition 7 holds NaN or infinite samples"),
        ({"samples": 5, "center_sample": 0}, "acquisition 7: 5 samples with the centre at 0 do not fit a readout of 8"),
        ({"discard_pre": 4, "discard_post": 4}, "acquisition 7: 8 samples, of which 4 and 4 are to be discarded"),
    ],
)
def test_what_cannot_be_placed_is_refused_by_name(bad, message):
    first, second = line(3), line(7, **{"e1": 1} | bad)
    with pytest.raises(ValueError, match=message):
        recon([first, second])
    with pytest.raises(ValueError, match=message):
        run(bucket_to_buffer, [bucket([first]), bucket([second])], header_xml((8, 6, 1)))


def test_large_numbers_are_no_fault():
    ((bit,),) = recon([line(value=3e38)])
    assert abs(bit.data.data).max() > 1e38


@pytest.mark.parametrize("properties", [{"N_dimension": "slice"}, {"N_dimension": "echo"}])
def test_dimensions_that_cannot_be_axes_are_refused(properties):
    with pytest.raises(PropertyError, match="N_dimension"):
        recon([line()], **properties)
    with pytest.raises(ValueError, match="both contrast"):
        recon([line()], N_dimension="contrast", S_dimension="contrast")
