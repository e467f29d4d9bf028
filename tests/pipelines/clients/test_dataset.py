"""Raw data go into a file and come out of it unchanged, in blocks of any size; what is wrong with a file is said."""

from __future__ import annotations

import h5py
import ismrmrd
import ismrmrd.hdf5
import numpy as np
import pytest

from gadgets.stream.blocks import AcquisitionBlock
from pipelines.clients.dataset import AcquisitionWriter, Dataset, DatasetError
from tests.support.streams import acquisition, header_xml

HEADER = header_xml()


def scan(rng, shapes, *, stamps=None):
    """Acquisitions of given shapes (channels, samples, trajectory dimensions), every header field distinct."""
    made = []
    for i, (channels, samples, dimensions) in enumerate(shapes):
        data = rng.standard_normal((channels, samples, 2)).astype(np.float32).view(np.complex64)[..., 0]
        item = acquisition(data, scan_counter=i, acquisition_time_stamp=i if stamps is None else stamps[i])
        item.idx.kspace_encode_step_1 = i
        item.user_float[3] = i / 7
        if dimensions:
            item.resize(samples, channels, dimensions)
            item.data[:] = data
            item.traj[:] = rng.standard_normal((samples, dimensions))
        made.append(item)
    return made


def waveform(stamp, n=5):
    made = ismrmrd.Waveform.from_array(np.arange(2 * n, dtype=np.uint32).reshape(2, n) + stamp)
    made._head.time_stamp, made._head.waveform_id = stamp, 1
    return made


def save(path, items, **options):
    with AcquisitionWriter(path, HEADER, **options) as writer:
        for item in items:
            writer.write(item)
    return path


def acquisitions(items):
    return [a for item in items if isinstance(item, AcquisitionBlock) for a in item]


def assert_same(found, expected):
    assert len(found) == len(expected)
    for a, b in zip(found, expected, strict=True):
        assert bytes(a._head) == bytes(b._head)
        np.testing.assert_array_equal(a.data, b.data)
        np.testing.assert_array_equal(a.traj, b.traj)


SHAPES = {
    "one shape": [(4, 16, 0)] * 30,
    "noise first": [(4, 64, 0)] * 2 + [(4, 16, 0)] * 20,
    "small, then large": [(1, 2, 0)] * 50 + [(8, 500, 0)] * 20,
    "trajectories": [(2, 16, 2)] * 5 + [(2, 16, 3)] * 5 + [(2, 16, 0)] * 5,
    "ever changing": [(1 + i % 3, 8 + i % 2, i % 4) for i in range(25)],
    "no samples": [(2, 0, 0), (2, 4, 0), (2, 0, 0)],
    "a single one": [(1, 1, 0)],
}


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("block_bytes", [1, 1000, 20000, 2 << 20])
def test_round_trip(tmp_path, name, block_bytes):
    made = scan(np.random.default_rng(0), SHAPES[name])
    path = save(tmp_path / "a.h5", made)
    with Dataset(path) as dataset:
        assert dataset.n_acquisitions == len(made)
        assert dataset.header == HEADER
        blocks = list(dataset.items(block_bytes=block_bytes))
    assert_same(acquisitions(blocks), made)
    assert all(b.nbytes <= block_bytes or len(b) == 1 for b in blocks)


def test_blocks_are_as_long_as_shapes_last(tmp_path):
    path = save(tmp_path / "a.h5", scan(np.random.default_rng(0), SHAPES["noise first"]))
    with Dataset(path) as dataset:
        assert [len(block) for block in dataset.items()] == [2, 20]


def test_writing_blocks_and_single_acquisitions_is_the_same(tmp_path):
    made = scan(np.random.default_rng(1), [(3, 10, 2)] * 7)
    block = AcquisitionBlock.from_acquisitions(made)
    wire = AcquisitionBlock.from_wire(block.messages())  # at odd addresses, as received
    save(tmp_path / "singles.h5", made)
    save(tmp_path / "blocks.h5", [block[:4], wire[4:]])
    with Dataset(tmp_path / "singles.h5") as one, Dataset(tmp_path / "blocks.h5") as other:
        assert_same(acquisitions(one.items()), acquisitions(other.items()))


def test_agrees_with_the_ismrmrd_library(tmp_path):
    """Ours reads what the library writes, and the library reads what ours writes."""
    made = scan(np.random.default_rng(2), SHAPES["noise first"] + [(2, 6, 3)])
    waves = [waveform(3), waveform(70)]
    theirs = ismrmrd.Dataset(tmp_path / "theirs.h5", mode="w")
    theirs.write_xml_header(HEADER)
    for item in made:
        theirs.append_acquisition(item)
    for item in waves:
        theirs.append_waveform(item)
    theirs.close()
    with Dataset(tmp_path / "theirs.h5") as dataset:
        assert (dataset.header, dataset.n_waveforms) == (HEADER, 2)
        items = list(dataset.items())
    assert_same(acquisitions(items), made)
    assert [i for i in items if isinstance(i, ismrmrd.Waveform)] == waves

    save(tmp_path / "ours.h5", [*made, *waves])
    ours = ismrmrd.Dataset(tmp_path / "ours.h5", mode="r")
    assert ours.read_xml_header() == HEADER
    assert_same([ours.read_acquisition(i) for i in range(ours.number_of_acquisitions())], made)
    assert [ours.read_waveform(i) for i in range(ours.number_of_waveforms())] == waves
    ours.close()


@pytest.mark.parametrize("block_bytes", [1, 3000, 2 << 20])
def test_waveforms_come_before_the_first_later_acquisition(tmp_path, block_bytes):
    made = scan(np.random.default_rng(3), [(2, 16, 0)] * 8, stamps=[10, 20, 30, 30, 40, 50, 60, 70])
    waves = [waveform(t) for t in (5, 20, 30, 30, 65, 99)]
    with Dataset(save(tmp_path / "a.h5", [*waves, *made])) as dataset:
        order = []
        for item in dataset.items(block_bytes=block_bytes):
            if isinstance(item, ismrmrd.Waveform):
                order.append(f"w{item.time_stamp}")
            else:
                order += item.headers["acquisition_time_stamp"].tolist()
    assert order == ["w5", 10, 20, "w20", 30, 30, "w30", "w30", 40, 50, 60, "w65", 70, "w99"]


def test_large_acquisitions_after_small_ones_are_read_few_at_a_time(tmp_path, monkeypatch):
    path = save(tmp_path / "a.h5", scan(np.random.default_rng(4), [(1, 4, 0)] * 300 + [(8, 1000, 0)] * 40))
    from pipelines.clients.hdf5 import Records

    sizes = []
    read = Records.read

    def measured(self, position, n):
        found = read(self, position, n)
        sizes.append(sum(4 * len(values) for values in found["data"]))
        return found

    monkeypatch.setattr(Records, "read", measured)
    with Dataset(path) as dataset:
        list(dataset.items(block_bytes=200_000))
    assert max(sizes) <= 200_000


def test_other_header_layouts_and_a_second_dimension(tmp_path):
    """Files differ in field order, padding and rank; fields go by their names."""
    made = scan(np.random.default_rng(5), [(2, 4, 0)] * 3)
    save(tmp_path / "a.h5", made)
    with h5py.File(tmp_path / "a.h5") as source, h5py.File(tmp_path / "b.h5", "w") as target:
        there = source["dataset/data"]
        head = there.dtype["head"]
        shuffled = np.dtype([(name, head[name]) for name in reversed(head.names)])
        records = np.empty((3, 1), [("data", there.dtype["data"]), ("head", shuffled), ("traj", there.dtype["traj"])])
        for name in head.names:
            records["head"][name][:, 0] = there[()]["head"][name]
        for name in ("data", "traj"):
            records[name][:, 0] = there[()][name]
        target["dataset/data"] = records
        target["dataset/xml"] = np.array([HEADER])
    with Dataset(tmp_path / "b.h5") as dataset:
        assert_same(acquisitions(dataset.items()), made)


def broken(tmp_path, how):
    path = save(tmp_path / "a.h5", scan(np.random.default_rng(6), [(2, 64, 0)] * 300))
    if how == "missing":
        return tmp_path / "none.h5"
    if how == "folder":
        return tmp_path
    if how == "text":
        path.write_text("not data")
    elif how == "empty file":
        path.write_bytes(b"")
    elif how == "cut short":
        path.write_bytes(path.read_bytes()[:100_000])
    elif how == "overwritten inside":
        content = path.read_bytes()
        middle = content.index(b"GCOL", len(content) // 2)  # where HDF5 keeps variable-length values
        path.write_bytes(content[:middle] + b"XXXX" + content[middle + 4 :])
    else:
        with h5py.File(path, "r+") as file:
            group = file["dataset"]
            if how == "other group":
                file.move("dataset", "scan_1")
            elif how == "no header":
                del group["xml"]
            elif how == "no data":
                del group["data"]
                group.create_group("image_0")
            elif how == "no acquisitions":
                group["data"].resize((0,))
            elif how == "not acquisitions":
                del group["data"]
                group["data"] = np.zeros(5)
            elif how == "wrong length":
                record = group["data"][7:8]
                record["head"]["number_of_samples"] = 65
                group["data"][7:8] = record
    return path


ERRORS = {
    "missing": "none.h5: no such file",
    "folder": "is a folder",
    "text": "a.h5 is not an HDF5 file",
    "empty file": "a.h5 is not an HDF5 file",
    "cut short": "a.h5 cannot be opened: .*truncated",
    "overwritten inside": r"acquisitions? \d+.* cannot be read, the file is damaged",
    "other group": "no group 'dataset'; groups there: scan_1",
    "no header": "no ISMRMRD header .*'dataset'",
    "no data": "no acquisitions in group 'dataset'; it has: image_0, xml",
    "no acquisitions": "no acquisitions in group 'dataset'; it has: data, xml",
    "not acquisitions": "not ISMRMRD acquisitions",
    "wrong length": r"acquisition 7 says 2 channels x 65 samples in its header \(260 values\), but 256 are stored",
}


@pytest.mark.parametrize("how", ERRORS)
def test_what_is_wrong_is_said_in_one_line(tmp_path, how):
    with pytest.raises(DatasetError, match=ERRORS[how]) as caught, Dataset(broken(tmp_path, how)) as dataset:
        list(dataset.items())
    assert "\n" not in str(caught.value)


def test_a_file_gets_its_name_only_when_complete(tmp_path):
    with pytest.raises(RuntimeError), AcquisitionWriter(tmp_path / "a.h5", HEADER) as writer:
        writer.write(scan(np.random.default_rng(7), [(2, 4, 0)])[0])
        raise RuntimeError
    assert [p.name for p in tmp_path.iterdir()] == ["a.partial.h5"]
    save(tmp_path / "a.h5", scan(np.random.default_rng(7), [(2, 4, 0)]))
    assert [p.name for p in tmp_path.iterdir()] == ["a.h5"]


def test_existing_files_are_kept_unless_told_otherwise(tmp_path):
    save(tmp_path / "a.h5", scan(np.random.default_rng(8), [(2, 4, 0)]))
    with pytest.raises(DatasetError, match="exists already"):
        AcquisitionWriter(tmp_path / "a.h5", HEADER)
    save(tmp_path / "a.h5", scan(np.random.default_rng(8), [(2, 4, 0)] * 2), overwrite=True)
    with Dataset(tmp_path / "a.h5") as dataset:
        assert dataset.n_acquisitions == 2
    with pytest.raises(DatasetError, match="no folder"):
        AcquisitionWriter(tmp_path / "none" / "a.h5", HEADER)


@pytest.mark.data
def test_scanner_files_agree_with_the_ismrmrd_library(data_dir):
    files = sorted((data_dir / "mrd").glob("*.h5"))
    assert files
    for path in files:
        file = ismrmrd.Dataset(path, mode="r")
        expected = [file.read_acquisition(i) for i in range(file.number_of_acquisitions())]
        header = file.read_xml_header()
        file.close()
        for block_bytes in (1, 100_000, 2 << 20):
            with Dataset(path) as dataset:
                assert dataset.header == header
                assert_same(acquisitions(dataset.items(block_bytes=block_bytes)), expected)
