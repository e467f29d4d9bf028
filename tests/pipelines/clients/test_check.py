"""What is in a file is said, and each thing that would go wrong with it."""

from __future__ import annotations

import ismrmrd
import numpy as np
import pytest

from pipelines.clients.check import check, examine
from pipelines.clients.dataset import AcquisitionWriter
from pipelines.clients.survey import Survey
from tests.support.streams import acquisition, header_xml

STAMP = {"n": 0}


def line(k1, *, channels=4, samples=16, flags=(), value=1.0, k2=0, **head):
    STAMP["n"] += 1
    head = {"acquisition_time_stamp": STAMP["n"], **head}
    idx = {"kspace_encode_step_1": k1, "kspace_encode_step_2": k2, **head.pop("idx", {})}
    return acquisition(np.full((channels, samples), value), flags=flags, idx=idx, **head)


def full(n=16, **options):
    return [line(k, **options) for k in range(n)]


def findings(items, header=None, tmp_path=None):
    with AcquisitionWriter(tmp_path / "a.h5", header or header_xml(bandwidth=1.0), overwrite=True) as writer:
        for item in items:
            writer.write(item)
    return check(tmp_path / "a.h5")


@pytest.fixture
def wrong(tmp_path):
    """The texts of what is wrong, severities before them."""
    return lambda items, header=None: [str(f) for f in findings(items, header, tmp_path) if f.severity != "info"]


@pytest.fixture
def said(tmp_path):
    return lambda items, header=None: "\n".join(f.text for f in findings(items, header, tmp_path))


def test_a_good_scan_has_nothing_wrong_and_its_contents_are_said(wrong, said):
    noise = [line(0, flags=[ismrmrd.ACQ_IS_NOISE_MEASUREMENT], samples=64)]
    wave = ismrmrd.Waveform.from_array(np.zeros((1, 4), np.uint32))
    assert wrong([*noise, *full()]) == []
    text = said([*noise, *full(), wave])
    for part in (
        "17 acquisitions, ",
        "16 acquisitions of 4 coils x 16 samples",
        "1 noise acquisition of 4 coils",
        "1 waveform of kind 0",
        "flags: IS_NOISE_MEASUREMENT (1)",
        "time stamps span 0.04 s",
        "sample time 5 us; of noise 5 us",
        "encoding space 0: encoded 16 x 16 x 1 over 32 x 32 x 2 mm, reconstructed",
        "encoding space 0: kspace_encode_step_1 0 to 15",
    ):
        assert part in text


def accelerated(factor, calibration=range(6, 10), n=16):
    made = []
    for k in range(n):
        on_grid, reference = k % factor == 0, k in calibration
        if on_grid and reference:
            made.append(line(k, flags=[ismrmrd.ACQ_IS_PARALLEL_CALIBRATION_AND_IMAGING]))
        elif reference:
            made.append(line(k, flags=[ismrmrd.ACQ_IS_PARALLEL_CALIBRATION]))
        elif on_grid:
            made.append(line(k))
    return made


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_acceleration_that_the_header_knows(wrong, said, factor):
    header = header_xml(acceleration=factor)
    assert wrong(accelerated(factor), header) == []
    every = {2: "second", 3: "third", 4: "4th"}[factor]
    assert f"along y every {every} line, 4 calibration lines (6 to 9)" in said(accelerated(factor), header)


def test_acceleration_in_two_directions(wrong):
    items = [line(k1, k2=k2) for k1 in range(16) for k2 in range(0, 8, 2)]
    assert wrong(items, header_xml((16, 16, 8))) == [
        "warning: encoding space 0: acceleration 2 along z, the header says 1"
    ]


@pytest.mark.parametrize(
    ("items", "options", "expected"),
    [
        (accelerated(2), {}, ["warning: encoding space 0: acceleration 2 along y, the header says 1"]),
        (
            full(),
            {"acceleration": 2},
            [
                "warning: encoding space 0: acceleration 1 along y, the header says 2",
                "warning: encoding space 0: accelerated along y without calibration lines",
            ],
        ),
        (
            [line(k) for k in range(16) if k not in (3, 7, 8)],
            {},
            ["warning: encoding space 0: lines missing along y: 3, 7 to 8"],
        ),
        ([line(k) for k in range(4, 16)], {}, ["warning: encoding space 0: lines missing along y: 0 to 3"]),
        (
            full(18),
            {},
            ["error: encoding space 0: kspace_encode_step_1 is 0 to 17, outside the header's 0 to 15"],
        ),
        (
            full() + [line(k, idx={"slice": 1}) for k in range(16)],
            {},
            ["warning: encoding space 0: slice is 0 to 1, outside the header's 0 to 0"],
        ),
        (
            full() + [line(k, idx={"set": 1}) for k in range(16)],
            {},
            ["warning: encoding space 0: set reaches 1, but the header has no limits for it"],
        ),
        (
            full() + full(12, idx={"slice": 1}),
            {"limits": {"slice": (0, 1, 0)}},
            ["warning: encoding space 0: images of 16 acquisitions, but slice 1 has 12"],
        ),
    ],
)
def test_lines_and_counters(wrong, items, options, expected):
    assert wrong(items, header_xml(**options)) == expected


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        (full()[:5] + [line(5, value=np.nan)] + full()[6:], "error: NaN or infinite data: acquisition 5"),
        (
            full()[:5] + [line(5, value=np.inf), line(6, value=np.inf)] + full()[7:],
            "error: NaN or infinite data: 2 acquisitions, first 5",
        ),
        (
            full()[:9] + [line(9, channels=3)] + full()[10:],
            "error: other numbers of channels than 4: acquisition 9",
        ),
        (
            full(flags=[ismrmrd.ACQ_COMPRESSION2]),
            "error: compressed data, which cannot be read: 16 acquisitions, first 0",
        ),
        (full()[:3] + [line(3, value=0)] + full()[4:], "warning: data that are all zero: acquisition 3"),
        (full(center_sample=16), "warning: center_sample beyond the samples"),
        (full(read_dir=(0, 0, 0)), "warning: a direction of length zero"),
        (full(flags=[ismrmrd.ACQ_IS_NAVIGATION_DATA]), "error: no acquisition is part of an image"),
        (full(acquisition_time_stamp=5), "warning: all time stamps are equal"),
        (
            [line(0, channels=2, flags=[ismrmrd.ACQ_IS_NOISE_MEASUREMENT]), *full()],
            "warning: noise of 2 channels does not fit data of 4",
        ),
        (full(channels=5), "warning: the header says 4 receiver channels, the data have 5"),
        (full(encoding_space_ref=1), "error: acquisitions belong to encoding space 1; the header has 1"),
    ],
)
def test_faults(wrong, items, expected):
    assert any(text.startswith(expected) for text in wrong(items)), wrong(items)


def test_header(wrong):
    noise = line(0, flags=[ismrmrd.ACQ_IS_NOISE_MEASUREMENT])
    assert wrong([noise, *full()], header_xml()) == [
        "warning: the header has no relativeReceiverNoiseBandwidth: the noise scale is a guess"
    ]
    whole = header_xml().decode()
    start, end = (whole.index(f"<{slash}acquisitionSystemInformation>") for slash in ("", "/"))
    without = whole[:start] + whole[end + len("</acquisitionSystemInformation>") :]
    assert any("no acquisitionSystemInformation" in text for text in wrong(full(), without.encode()))
    start, end = (whole.index(f"<{slash}kspace_encoding_step_1>") for slash in ("", "/"))
    without = whole[:start] + whole[end + len("</kspace_encoding_step_1>") :]
    assert any("no limits for lines" in text for text in wrong(full(), without.encode()))
    assert any(text.startswith("error: the ISMRMRD header cannot be read") for text in wrong(full(), b"<a/>"))
    assert any(
        "radial, but no acquisition has a trajectory" in t for t in wrong(full(), header_xml(trajectory="radial"))
    )


def test_blocks_of_any_size_say_the_same(tmp_path):
    from pipelines.clients.dataset import Dataset

    findings(full() + [line(3, value=np.nan)], None, tmp_path)
    texts = set()
    for block_bytes in (1, 2000, 1 << 20):
        survey = Survey()
        with Dataset(tmp_path / "a.h5") as dataset:
            for item in dataset.items(block_bytes=block_bytes):
                survey.add(item)
            texts.add(tuple(map(str, examine(dataset.header, survey))))
    assert len(texts) == 1


def test_a_file_that_cannot_be_read(tmp_path):
    (found,) = check(tmp_path / "none.h5")
    assert found.severity == "error"
    assert str(found).endswith("none.h5: no such file")


@pytest.mark.data
def test_scanner_files_have_no_errors(data_dir):
    for path in sorted((data_dir / "mrd").glob("*.h5")):
        found = check(path)
        assert [f for f in found if f.severity == "error"] == [], path.name
        assert len(found) > 5
