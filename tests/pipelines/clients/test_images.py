"""Images go into a file as Gadgetron's client puts them there, and come out unchanged."""

from __future__ import annotations

import h5py
import ismrmrd
import numpy as np
import pytest

from gadgets.stream.dtypes import PIXELS
from pipelines.clients.dataset import DatasetError, ImageWriter, read_images

TYPES = [dtype.name for dtype in PIXELS.values()]


def image(dtype="float32", shape=(1, 1, 6, 5), series=0, index=1, **meta):
    values = np.arange(np.prod(shape)).reshape(shape)
    pixels = (values * (1 + 2j) if np.dtype(dtype).kind == "c" else values).astype(dtype)
    made = ismrmrd.Image.from_array(pixels, transpose=False, image_series_index=series, image_index=index)
    made.position = (1.5, 2.5, index)
    made.meta = {"SeriesDescription": "a test, ü", "WindowCenter": "100"} | meta
    return made


def assert_same(found, expected):
    assert len(found) == len(expected)
    for a, b in zip(found, expected, strict=True):
        assert a.data.dtype == b.data.dtype
        np.testing.assert_array_equal(a.data, b.data)
        assert a.meta == b.meta
        head, other = a.getHead(), b.getHead()
        other.attribute_string_len = len(b.attribute_string.encode())
        assert bytes(head) == bytes(other)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("shape", [(1, 1, 6, 5), (3, 4, 6, 5)])
def test_round_trip_of_every_pixel_type(tmp_path, dtype, shape):
    made = [image(dtype, shape, index=i) for i in range(100)]
    with ImageWriter(tmp_path / "a.h5") as writer:
        for one in made:
            writer.write(one)
    assert writer.n_images == 100
    found = read_images(tmp_path / "a.h5")
    assert list(found) == ["image_0"]
    assert_same(found["image_0"], made)


# The library takes 32-bit integers for 64-bit ones unless its table is repaired, which importing gadgets.stream does.
@pytest.mark.parametrize("dtype", TYPES)
def test_agrees_with_the_ismrmrd_library(tmp_path, dtype):
    made = [image(dtype, (2, 3, 6, 5), index=i) for i in range(3)]
    with ImageWriter(tmp_path / "ours.h5", group="run") as writer:
        for one in made:
            writer.write(one)
    ours = ismrmrd.Dataset(tmp_path / "ours.h5", "run", mode="r")
    assert_same([ours.read_image("image_0", i) for i in range(ours.number_of_images("image_0"))], made)
    ours.close()
    theirs = ismrmrd.Dataset(tmp_path / "theirs.h5", "run", mode="w")
    for one in made:
        one.attribute_string = one.attribute_string
        theirs.append_image("image_0", one)
    theirs.close()
    found = read_images(tmp_path / "theirs.h5")["image_0"]
    for a, b in zip(found, made, strict=True):
        np.testing.assert_array_equal(a.data, b.data)
        assert a.meta == b.meta


def test_series_and_shapes_that_change_have_groups_of_their_own(tmp_path):
    made = {
        "image_0": [image(index=1), image(index=2)],
        "image_0_1": [image(shape=(1, 1, 4, 4), index=3)],
        "image_0_2": [image("uint16", index=4)],
        "image_2": [image(series=2)],
        "image_10": [image(series=10)],
    }
    with ImageWriter(tmp_path / "a.h5", group="run") as writer:
        for name in ("image_0", "image_10", "image_2", "image_0_1", "image_0_2"):
            for one in made[name]:
                writer.write(one)
        writer.write(image(index=5))
    made["image_0"].append(image(index=5))
    found = read_images(tmp_path / "a.h5", "run")
    assert list(found) == ["image_0", "image_0_1", "image_0_2", "image_2", "image_10"]
    for name, images in found.items():
        assert_same(images, made[name])


def test_layout_is_that_of_gadgetrons_client(tmp_path):
    with ImageWriter(tmp_path / "a.h5") as writer:
        for i in range(3):
            writer.write(image("complex64", (2, 1, 6, 5), series=1, index=i))
    with h5py.File(tmp_path / "a.h5") as file:
        (name,) = file
        assert name == writer.group
        group = file[name]["image_1"]
        assert set(group) == {"header", "attributes", "data"}
        assert group["data"].shape == (3, 2, 1, 6, 5)
        assert group["data"].maxshape == (None, 2, 1, 6, 5)
        assert group["data"].dtype.names == ("real", "imag")
        assert group["header"].shape == group["attributes"].shape == (3,)


def test_images_without_meta(tmp_path):
    one = ismrmrd.Image.from_array(np.ones((4, 4), np.float32), transpose=False)
    with ImageWriter(tmp_path / "a.h5") as writer:
        writer.write(one)
    assert_same(read_images(tmp_path / "a.h5")["image_0"], [one])


def test_other_groups_are_kept(tmp_path):
    for group in ("first", "second"):
        with ImageWriter(tmp_path / "a.h5", group=group) as writer:
            writer.write(image())
    assert_same(read_images(tmp_path / "a.h5", "first")["image_0"], [image()])
    assert_same(read_images(tmp_path / "a.h5", "second")["image_0"], [image()])
    with pytest.raises(DatasetError, match="several groups, name one: first, second"):
        read_images(tmp_path / "a.h5")
    with pytest.raises(DatasetError, match="has a group 'first' already"):
        ImageWriter(tmp_path / "a.h5", group="first")


def test_after_an_error_what_came_is_in_the_partial_file(tmp_path):
    with ImageWriter(tmp_path / "a.h5", group="old") as writer:
        writer.write(image())
    before = (tmp_path / "a.h5").read_bytes()
    with pytest.raises(RuntimeError), ImageWriter(tmp_path / "a.h5", group="new") as writer:
        writer.write(image(index=7))
        raise RuntimeError
    assert (tmp_path / "a.h5").read_bytes() == before
    assert writer.partial == tmp_path / "a.partial.h5"
    assert_same(read_images(writer.partial, "new")["image_0"], [image(index=7)])


def test_without_images_there_is_no_file(tmp_path):
    with ImageWriter(tmp_path / "a.h5"):
        pass
    assert not list(tmp_path.iterdir())


def test_what_is_wrong_is_said(tmp_path):
    with pytest.raises(DatasetError, match="there is no folder"):
        ImageWriter(tmp_path / "none" / "a.h5")
    with pytest.raises(DatasetError, match="is a folder"):
        ImageWriter(tmp_path)
    (tmp_path / "text.h5").write_text("text")
    with pytest.raises(DatasetError, match="not an HDF5 file"):
        ImageWriter(tmp_path / "text.h5")
    with h5py.File(tmp_path / "raw.h5", "w") as file:
        file.create_dataset("dataset/data", data=[1])
    with pytest.raises(DatasetError, match="has no images"):
        read_images(tmp_path / "raw.h5")
    with pytest.raises(DatasetError, match="no images in group 'dataset'; it has: data"):
        read_images(tmp_path / "raw.h5", "dataset")
    with pytest.raises(DatasetError, match="no group 'run'; groups there: dataset"):
        read_images(tmp_path / "raw.h5", "run")
    with ImageWriter(tmp_path / "a.h5", group="run") as writer:
        writer.write(image())
    with h5py.File(tmp_path / "a.h5", "r+") as file:
        header = file["run/image_0/header"][0]
        header["matrix_size"] = (1, 2, 3)
        file["run/image_0/header"][0] = header
    with pytest.raises(DatasetError, match="header 0 says"):
        read_images(tmp_path / "a.h5")
