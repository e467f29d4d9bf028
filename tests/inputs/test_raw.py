"""K-space from files: on its grid, averaged, without the oversampling of readouts."""

import h5py
import ismrmrd
import numpy as np
import pytest

from gadgets.inputs.images import Files
from gadgets.inputs.raw import kspaces, to_image
from pipelines.clients.dataset import AcquisitionWriter
from tests.support.streams import acquisition, header_xml

SIZE, COILS = 16, 3


@pytest.fixture
def images():
    """Of the coils of two slices, in the middle half of the field of view along x."""
    random = np.random.default_rng(0)
    made = np.zeros((2, COILS, SIZE, 2 * SIZE), np.complex64)
    made[..., SIZE // 2 : -SIZE // 2] = random.standard_normal((2, COILS, SIZE, SIZE))
    return made


def lines(images, *, skip=()):
    axes = (-2, -1)
    full = np.fft.fftshift(np.fft.fft2(np.fft.ifftshift(images, axes), norm="ortho"), axes)
    noise = 100 * np.ones((COILS, 2 * SIZE))
    # Noise does not count, nor does another encoding; the first line is there twice, of the mean that it has.
    yield acquisition(noise, flags=[ismrmrd.ACQ_IS_NOISE_MEASUREMENT])
    yield acquisition(noise, encoding_space_ref=1)
    for number, one in enumerate(full):
        for y in range(SIZE):
            if y not in skip:
                for share in (0.5, 1.5) if y == 0 else (1,):
                    yield acquisition(share * one[:, y], idx={"kspace_encode_step_1": y, "slice": number})


def save(path, items, **header):
    with AcquisitionWriter(path, header_xml((2 * SIZE, SIZE, 1), (SIZE, SIZE, 1), coils=COILS, **header)) as writer:
        for item in items:
            writer.write(item)
    return path


def test_raw_data_are_put_on_their_grid(tmp_path, images):
    found = list(kspaces([save(tmp_path / "a.h5", lines(images))]))
    assert [one.dtype for one in found] == 2 * [np.complex64]
    expected = images[..., SIZE // 2 : -SIZE // 2]
    np.testing.assert_allclose([to_image(one) for one in found], expected, atol=1e-5)
    shown = np.sqrt((np.abs(expected) ** 2).sum(axis=1))
    np.testing.assert_allclose(list(Files([tmp_path / "a.h5"])), shown, atol=1e-5)


def test_raw_data_are_not_written_to(tmp_path, images):
    path = save(tmp_path / "a.h5", lines(images))
    path.chmod(0o444)
    before = path.stat().st_mtime_ns
    # Whoever else reads it holds a lock that excludes writers alone.
    with h5py.File(path, "r"):
        assert len(list(kspaces([path]))) == len(images)
    assert path.stat().st_mtime_ns == before


def test_lines_that_are_missing_are_zero(tmp_path, images):
    path = save(tmp_path / "a.h5", lines(images, skip=(3, 5)))
    for one in kspaces([path]):
        assert np.flatnonzero(~one.any(axis=(0, 2))).tolist() == [3, 5]
    with pytest.raises(ValueError, match="slice 0 lacks 2 of 16 lines"):
        Files([path])


@pytest.mark.parametrize("shape", [(2, COILS, 6, 8), (2, 6, 8)])
def test_fastmri(tmp_path, shape):
    stored = np.random.default_rng(0).standard_normal(shape).astype(np.complex64)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["kspace"] = stored
    np.testing.assert_array_equal(list(kspaces([tmp_path / "a.h5"])), stored.reshape(2, -1, 6, 8))


def test_what_has_no_slices_is_refused(tmp_path, images):
    with pytest.raises(FileNotFoundError, match=r"no file .*nothing\.h5"):
        list(kspaces([tmp_path / "nothing.h5"]))
    h5py.File(tmp_path / "empty.h5", "w").close()
    with pytest.raises(ValueError, match=r"empty\.h5 holds no k-space"):
        list(kspaces([tmp_path / "empty.h5"]))
    with pytest.raises(ValueError, match="is radial; only Cartesian"):
        list(kspaces([save(tmp_path / "radial.h5", lines(images), trajectory="radial")]))
    solid = tmp_path / "solid.h5"
    with AcquisitionWriter(solid, header_xml((2 * SIZE, SIZE, 4), coils=COILS)) as writer:
        writer.write(next(lines(images)))
    with pytest.raises(ValueError, match="is three-dimensional; only slices"):
        list(kspaces([solid]))
