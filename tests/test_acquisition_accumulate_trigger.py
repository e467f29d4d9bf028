import ismrmrd
import numpy as np
import pytest

from gadgets.acquisition_accumulate_trigger import acquisition_accumulate_trigger
from gadgets.properties import PropertyError
from gadgets.stream.bucket import Bucket
from gadgets.stream.codec import encode
from gadgets.stream.connection import Connection
from gadgets.stream.control import Text
from gadgets.stream.transport import MemoryTransport
from tests.support.splits import outputs
from tests.support.streams import acquisition, configuration, header_xml, run

REFERENCE = ismrmrd.ACQ_IS_PARALLEL_CALIBRATION
BOTH = ismrmrd.ACQ_IS_PARALLEL_CALIBRATION_AND_IMAGING
HEADER = header_xml((8, 6, 1), limits={"slice": (0, 1, 0), "repetition": (0, 2, 0)})


def line(counter, flags=(), space=0, **index):
    return acquisition(np.full((2, 8), counter), flags=flags, idx=index, scan_counter=counter, encoding_space_ref=space)


def scan(repetitions=3, slices=2, lines=6, last=()):
    """Interleaved slices; `last` are flags of the last line of each slice."""
    counter = iter(range(1 << 20))
    return [
        line(
            next(counter),
            last if k == lines - 1 else (),
            repetition=r,
            slice=s,
            kspace_encode_step_1=k,
        )
        for r in range(repetitions)
        for k in range(lines)
        for s in range(slices)
    ]


def counters(acquisitions):
    return [a.scan_counter for a in acquisitions]


def waveform():
    return ismrmrd.Waveform.from_array(np.zeros((1, 4), np.uint32))


def test_one_bucket_for_each_trigger_index_and_sorting_index():
    given = scan()
    found = run(
        acquisition_accumulate_trigger, given, HEADER, trigger_dimension="repetition", sorting_dimension="slice"
    )
    assert all(isinstance(bucket, Bucket) for bucket in found)
    expected = [
        [a.scan_counter for a in given if (a.idx.repetition, a.idx.slice) == (r, s)] for r in range(3) for s in (0, 1)
    ]
    assert [counters(bucket.data) for bucket in found] == expected
    assert [bucket.datastats[0].slice for bucket in found] == [{0}, {1}] * 3
    for bucket in found:
        for a in bucket.data:
            np.testing.assert_array_equal(a.data, a.scan_counter)


@pytest.mark.parametrize("dimension", ["", "none"])
def test_without_a_trigger_all_goes_out_at_the_end(dimension):
    given = scan()
    (bucket,) = run(acquisition_accumulate_trigger, given, HEADER, trigger_dimension=dimension)
    assert counters(bucket.data) == counters(given)


@pytest.mark.parametrize(
    "dimension",
    ["kspace_encode_step_1", "kspace_encode_step_2", "average", "slice", "contrast", "phase", "repetition", "set",
     "segment", *(f"user_{i}" for i in range(8))],
)  # fmt: skip
def test_any_counter_triggers_and_sorts(dimension):
    given = [line(i) for i in range(6)]
    for i, a in enumerate(given):
        if dimension.startswith("user"):
            a.idx.user[int(dimension[-1])] = i // 2
        else:
            setattr(a.idx, dimension, i // 2)
    for property in ("trigger_dimension", "sorting_dimension"):
        found = run(acquisition_accumulate_trigger, given, HEADER, **{property: dimension})
        assert [counters(b.data) for b in found] == [[0, 1], [2, 3], [4, 5]]


def test_a_number_of_acquisitions_triggers():
    given = [line(0, [ismrmrd.ACQ_IS_NOISE_MEASUREMENT]), *(line(i) for i in range(1, 12))]
    for found in outputs(
        acquisition_accumulate_trigger,
        given,
        HEADER,
        trigger_dimension="n_acquisitions",
        n_acquisitions_before_trigger=4,
        n_acquisitions_before_ongoing_trigger=3,
    ):
        assert [counters(b.data) for b in found] == [[1, 2, 3, 4], [5, 6, 7], [8, 9, 10], [11]]


def test_flags_tell_data_and_reference_apart(caplog):
    caplog.set_level("INFO")
    dropped = (19, 23, 24, 26, 27, 28, 29, 30, 31)
    given = [line(0), line(1, [REFERENCE]), line(2, [BOTH]), *(line(flag, [flag]) for flag in dropped)]
    for found in outputs(acquisition_accumulate_trigger, given, HEADER):
        (bucket,) = found
        assert (counters(bucket.data), counters(bucket.ref)) == ([0, 2], [1, 2])
    assert "dropped: 1 noise, 8 auxiliary" in caplog.text


def test_buckets_do_not_depend_on_how_acquisitions_arrive():
    random = np.random.default_rng(0)
    given = scan(last=[ismrmrd.ACQ_LAST_IN_REPETITION])
    for a in given:
        if random.random() < 0.4:
            a.set_flag(int(random.choice([REFERENCE, BOTH, 24])))
    found = outputs(
        acquisition_accumulate_trigger, given, HEADER, trigger_dimension="repetition", sorting_dimension="slice"
    )
    expected, *others = ([b"".join(map(bytes, encode(bucket))) for bucket in buckets] for buckets in found)
    assert all(other == expected for other in others)


def test_waveforms_go_with_the_first_bucket_after_them():
    given = scan(repetitions=2)
    items = [waveform(), *given[:5], waveform(), *given[5:], waveform()]
    found = run(
        acquisition_accumulate_trigger, items, HEADER, trigger_dimension="repetition", sorting_dimension="slice"
    )
    assert [len(b.waveforms) for b in found] == [2, 0, 1, 0]


def test_waveforms_without_acquisitions_are_sent_on():
    items = [waveform(), waveform()]
    assert run(acquisition_accumulate_trigger, items, HEADER) == items
    assert run(acquisition_accumulate_trigger, [], HEADER) == []


def test_other_items_pass():
    given = scan(repetitions=2)
    found = run(acquisition_accumulate_trigger, [given[0], Text("a"), *given[1:]], HEADER)
    assert [type(item) for item in found] == [Text, Bucket]


def test_an_index_that_returns_makes_another_bucket():
    given = [line(i, repetition=r) for i, r in enumerate((0, 1, 0))]
    found = run(acquisition_accumulate_trigger, given, HEADER, trigger_dimension="repetition")
    assert [counters(b.data) for b in found] == [[0], [1], [2]]


def taken_at(items, header, **properties):
    """How many acquisitions had come when each bucket went out."""

    class Counting(MemoryTransport):
        taken = 0
        at: list = []

        def receive(self):
            item, self._items = self._items[:1], self._items[1:]
            self.taken += len(item)
            return item

        def send(self, item):
            self.at = [*self.at, self.taken]

    transport = Counting(items)
    acquisition_accumulate_trigger(Connection(transport, configuration(**properties), header))
    return transport.at


LAST = [ismrmrd.ACQ_LAST_IN_REPETITION]
SORTED = {"trigger_dimension": "repetition", "sorting_dimension": "slice"}


def test_complete_repetitions_go_out_at_their_last_acquisition():
    # Both slices carry the flag: only the second one finds as many lines of each.
    assert taken_at(scan(last=LAST), HEADER, **SORTED) == [12, 12, 24, 24, 36, 36]
    assert taken_at(scan(last=LAST), HEADER, early=False, **SORTED) == [13, 13, 25, 25, 36, 36]
    assert taken_at(scan(), HEADER, **SORTED) == [13, 13, 25, 25, 36, 36]


def test_a_flag_alone_is_not_believed():
    # The header announces more slices, contrasts, lines or another encoding space than have come.
    for name, header in {
        "slices": header_xml((8, 6, 1), limits={"slice": (0, 2, 0)}),
        "contrasts": header_xml((8, 6, 1), limits={"slice": (0, 1, 0), "contrast": (0, 1, 0)}),
        "lines": header_xml((8, 8, 1), limits={"slice": (0, 1, 0)}),
        "spaces": header_xml((8, 6, 1), limits={"slice": (0, 1, 0)}, spaces=2),
        "reference": header_xml((8, 6, 1), limits={"slice": (0, 1, 0)}, acceleration=1),
    }.items():
        assert taken_at(scan(last=LAST), header, **SORTED) == [13, 13, 25, 25, 36, 36], name


def test_an_accelerated_repetition_is_complete_with_its_share_of_the_lines():
    header = header_xml((8, 12, 1), limits={"slice": (0, 0, 0)}, acceleration=2)
    given = scan(slices=1, last=LAST)
    for a in given:
        a.idx.kspace_encode_step_1 *= 2
    given[2].set_flag(BOTH)
    assert taken_at(given, header, **SORTED) == [6, 12, 18]


def test_the_whole_measurement_goes_out_at_its_last_acquisition():
    given = scan()
    given[-1].set_flag(ismrmrd.ACQ_LAST_IN_MEASUREMENT)
    assert taken_at([*given, Text("later")], HEADER) == [36, 37]


def test_what_follows_an_early_bucket_and_belongs_to_it_is_refused():
    given = scan(repetitions=1, last=LAST)
    late = line(99, repetition=0, kspace_encode_step_1=3)
    with pytest.raises(ValueError, match=r"acquisition 99 belongs to repetition 0, .* early=false"):
        run(acquisition_accumulate_trigger, [*given, late], HEADER, **SORTED)
    first, second = run(acquisition_accumulate_trigger, [*given, late], HEADER, early=False, **SORTED)
    assert len(first.data) == 7
    navigator = line(99, [ismrmrd.ACQ_IS_NAVIGATION_DATA], repetition=0)
    assert len(run(acquisition_accumulate_trigger, [*given, navigator], HEADER, **SORTED)) == 2


def test_settings_that_are_none_are_refused():
    with pytest.raises(PropertyError, match="trigger_dimension"):
        run(acquisition_accumulate_trigger, [], HEADER, trigger_dimension="echo")
    with pytest.raises(ValueError, match="expected 1 or more"):
        run(acquisition_accumulate_trigger, [], HEADER, n_acquisitions_before_trigger=0)
