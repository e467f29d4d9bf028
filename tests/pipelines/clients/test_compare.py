"""The comparison follows the rules of Gadgetron's integration tests."""

from __future__ import annotations

import ismrmrd
import numpy as np
import pytest

from pipelines.clients.compare import compare, compare_images
from pipelines.clients.dataset import ImageWriter


def image(pixels, **head):
    made = ismrmrd.Image.from_array(np.asarray(pixels), transpose=False)
    for name, value in head.items():
        setattr(made, name, value)
    return made


@pytest.fixture
def pixels():
    return np.random.default_rng(0).standard_normal((6, 5)).astype(np.float32)


def test_equal_images(pixels):
    found = compare_images([image(pixels)], [image(pixels)])
    assert (found.difference, found.scale, found.headers) == (0, 1, ())
    assert found.passes(0)
    assert compare_images([image(pixels * 0)], [image(pixels * 0)]).passes(0)


def test_difference_and_scale(pixels):
    found = compare_images([image(1.1 * pixels)], [image(pixels)])
    assert found.difference == pytest.approx(0.1, rel=1e-5)
    assert found.scale == pytest.approx(1.1, rel=1e-5)
    assert not found.passes()
    assert found.passes(0.11)
    # The scale counts by itself: noise that is as large as allowed does not excuse it.
    assert not compare_images([image(0.9 * pixels)], [image(pixels)]).passes(0.05)


def test_complex_pixels_differ_in_phase_too(pixels):
    found = compare_images([image((1j * pixels).astype(np.complex64))], [image(pixels.astype(np.complex64))])
    assert found.difference == pytest.approx(np.sqrt(2), rel=1e-5)


@pytest.mark.parametrize(
    ("field", "value", "agrees"),
    [
        ("position", (0, 0, 1e-5), False),
        ("position", (0, 0, 1e-7), True),
        ("read_dir", (1, 0, 0), False),
        ("image_index", 2, False),
        ("flags", 4, False),
        ("slice", 1, False),
        ("image_series_index", 7, True),
        ("acquisition_time_stamp", 99, True),
        ("physiology_time_stamp", (1, 2, 3), True),
    ],
)
def test_headers(pixels, field, value, agrees):
    found = compare_images([image(pixels, **{field: value})], [image(pixels)])
    assert found.passes() is agrees
    assert [line.split()[0] for line in found.headers] == ([] if agrees else [field])


def test_other_sizes_and_numbers_of_images(pixels):
    found = compare_images([image(pixels), image(pixels)], [image(pixels)])
    assert found.headers == ("2 images, the reference has 1",)
    assert not found.passes(1e9)
    assert not compare_images([image(pixels[1:])], [image(pixels)]).passes(1e9)


def test_files(tmp_path, pixels):
    for name, series in (("a", (0, 1)), ("b", (0, 2)), ("one", (0,)), ("other", (5,))):
        with ImageWriter(tmp_path / f"{name}.h5") as writer:
            for index in series:
                writer.write(image(pixels, image_series_index=index))
    assert compare(tmp_path / "a.h5", tmp_path / "a.h5").passes(0)
    assert compare(tmp_path / "one.h5", tmp_path / "other.h5").passes(0)
    found = compare(tmp_path / "a.h5", tmp_path / "b.h5")
    assert not found.passes()
    assert len(found.series) == 1
    assert "image_1 is not in" in str(found)
    assert "image_2 is not in" in str(found)
