import ismrmrd
import numpy as np
import pytest

from gadgets.save_ismrmrd import save_ismrmrd
from gadgets.stream.connection import Connection
from gadgets.stream.control import Text
from gadgets.stream.transport import MemoryTransport
from tests.support.buffers import image
from tests.support.streams import acquisition, header_xml, run


def pictures():
    return [
        image(
            np.full((1, 1, 4, 6), series + index, np.float32),
            meta={"k": str(index)},
            image_series_index=series,
            slice=index,
        )
        for series, index in [(0, 0), (0, 1), (7, 0)]
    ]


def test_the_library_reads_what_was_written(tmp_path):
    items = [*pictures(), Text("hello")]
    assert run(save_ismrmrd, items, path=tmp_path / "out.h5", group="g") == items
    with ismrmrd.Dataset(str(tmp_path / "out.h5"), "g", create_if_needed=False) as file:
        assert file.read_xml_header() == header_xml()
        assert file.number_of_images("image_0") == 2
        for name, index, expected in [("image_0", 0, items[0]), ("image_0", 1, items[1]), ("image_7", 0, items[2])]:
            found = file.read_image(name, index)
            np.testing.assert_array_equal(found.data, expected.data)
            assert (found.slice, found.image_series_index) == (expected.slice, expected.image_series_index)
            assert found.meta["k"] == expected.meta["k"]


def test_everything_is_acquisitions_and_waveforms_too(tmp_path):
    lines = [acquisition(np.full((2, 8), i + 1j), idx={"kspace_encode_step_1": i}) for i in range(3)]
    lines.append(acquisition(np.ones((2, 16))))
    wave = ismrmrd.Waveform.from_array(np.arange(6, dtype=np.uint32).reshape(2, 3))
    sent = run(save_ismrmrd, [*lines, wave, *pictures()], path=tmp_path / "out.h5", everything=True)
    assert sum(len(item) if hasattr(item, "headers") else 0 for item in sent) == 4
    with ismrmrd.Dataset(str(tmp_path / "out.h5"), create_if_needed=False) as file:
        assert file.number_of_acquisitions() == 4
        for index, line in enumerate(lines):
            found = file.read_acquisition(index)
            np.testing.assert_array_equal(found.data, line.data)
            assert found.idx.kspace_encode_step_1 == line.idx.kspace_encode_step_1
        np.testing.assert_array_equal(file.read_waveform(0).data, wave.data)


def test_a_scan_that_fails_leaves_no_file(tmp_path):
    # A series with images of two shapes cannot be written.
    odd = image(np.ones((1, 1, 5, 5), np.float32))
    with pytest.raises(ValueError, match=r"image_0 holds images .*\(1, 1, 4, 6\).* cannot join"):
        run(save_ismrmrd, [*pictures(), odd], path=tmp_path / "out.h5")
    assert list(tmp_path.iterdir()) == []


def test_the_file_is_not_there_before_it_is_whole(tmp_path):
    class Watched(list):
        def append(self, item):
            assert not (tmp_path / "out.h5").exists()
            super().append(item)

    transport = MemoryTransport(pictures())
    transport.sent = Watched()
    save_ismrmrd(Connection(transport, b"", header_xml()), path=str(tmp_path / "out.h5"))
    assert [file.name for file in tmp_path.iterdir()] == ["out.h5"]


def test_a_scan_without_images_makes_no_file(tmp_path):
    run(save_ismrmrd, [Text("hello")], path=tmp_path / "out.h5")
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_not_overwritten_unasked(tmp_path):
    run(save_ismrmrd, pictures(), path=tmp_path / "out.h5")
    with pytest.raises(FileExistsError, match="overwrite=true"):
        run(save_ismrmrd, pictures(), path=tmp_path / "out.h5")
    run(save_ismrmrd, pictures(), path=tmp_path / "out.h5", overwrite=True)


def test_the_measurement_can_be_part_of_the_name(tmp_path):
    run(save_ismrmrd, pictures(), header_xml(measurement="a/../b 1"), path=tmp_path / "x_{measurement}.h5")
    assert [file.name for file in tmp_path.iterdir()] == ["x_a____b_1.h5"]
