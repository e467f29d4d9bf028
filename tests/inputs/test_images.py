"""Images from files of each kind."""

import h5py
import numpy as np
import pytest

from gadgets.inputs.images import Files


@pytest.fixture
def volume():
    """Three slices with something to see, and one without."""
    made = np.random.default_rng(0).uniform(0.5, 1, (4, 6, 8)).astype(np.float32)
    made[3] = 0.01
    return made


def test_numpy(tmp_path, volume):
    np.save(tmp_path / "a.npy", volume * np.exp(1j))
    np.savez(tmp_path / "b.npz", spacing=np.ones(3), one=volume[0])
    files = Files([tmp_path / "a.npy", tmp_path / "b.npz"])
    assert len(files) == 4
    np.testing.assert_allclose(files[2], volume[2], rtol=1e-6)
    np.testing.assert_array_equal(files[3], volume[0])


def test_slices_across_each_axis(tmp_path, volume):
    np.save(tmp_path / "a.npy", volume)
    assert [Files([tmp_path], axes)[0].shape for axes in ((0,), (1,), (2,))] == [(6, 8), (4, 8), (4, 6)]
    assert len(Files([str(tmp_path / "*.npy")], (0, 1, 2))) == 3 + 6 + 8


def test_fastmri(tmp_path, volume):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["reconstruction_rss"] = volume
        file["kspace"] = np.zeros((1, 1, 2, 2), np.complex64)
    with h5py.File(tmp_path / "b.h5", "w") as file:
        axes = (-2, -1)
        coils = np.stack([volume, 1j * volume], axis=1)
        file["kspace"] = np.fft.fftshift(np.fft.fft2(np.fft.ifftshift(coils, axes), norm="ortho"), axes)
    files = Files([tmp_path / "a.h5", tmp_path / "b.h5"])
    assert len(files) == 6
    np.testing.assert_array_equal(files[1], volume[1])
    np.testing.assert_allclose(files[4], 2**0.5 * volume[1], rtol=1e-5)


def test_nifti(tmp_path, volume):
    nibabel = pytest.importorskip("nibabel", reason="NIfTI needs the extra [train]")
    nibabel.save(nibabel.Nifti1Image(volume.T, np.eye(4)), tmp_path / "a.nii.gz")
    np.testing.assert_allclose(Files([tmp_path / "a.nii.gz"])[1], volume[1])


def test_dicom(tmp_path, volume):
    pydicom = pytest.importorskip("pydicom", reason="DICOM needs the extra [train]")
    for index in range(3):
        meta = pydicom.dataset.FileMetaDataset()
        meta.MediaStorageSOPClassUID = pydicom.uid.MRImageStorage
        meta.MediaStorageSOPInstanceUID = pydicom.uid.generate_uid()
        meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
        image = pydicom.dataset.FileDataset(str(tmp_path / "x"), {}, file_meta=meta, preamble=b"\0" * 128)
        image.Rows, image.Columns, image.SamplesPerPixel, image.PhotometricInterpretation = 6, 8, 1, "MONOCHROME2"
        image.BitsAllocated = image.BitsStored = 16
        image.HighBit, image.PixelRepresentation, image.RescaleSlope, image.RescaleIntercept = 15, 0, 0.001, 0
        image.PixelData = np.round(1000 * volume[index]).astype(np.uint16).tobytes()
        image.save_as(tmp_path / f"{index}", enforce_file_format=True)
    (tmp_path / "notes.txt").write_text("not an image")
    files = Files([tmp_path])
    assert len(files) == 3
    np.testing.assert_allclose(files[2], volume[2], atol=1e-3)


@pytest.mark.data
def test_raw(data_dir):
    (image,) = Files([data_dir / "mrd" / "brain_gre_3T_16ch_full.h5"])
    assert image.shape == (128, 128)
    with pytest.raises(ValueError, match="lacks 69 of 128 lines"):
        Files([data_dir / "mrd" / "brain_gre_3T_16ch_retroR3_acs24_noise.h5"])


def test_what_cannot_be_read_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no file .*nothing\.npy"):
        Files([tmp_path / "nothing.npy"])
    (tmp_path / "a.txt").write_text("")
    with pytest.raises(ValueError, match=r"a\.txt is of no known kind; known are: \.npy"):
        Files([tmp_path / "a.txt"])
    np.save(tmp_path / "line.npy", np.ones(4))
    with pytest.raises(ValueError, match=r"line\.npy holds no images"):
        Files([tmp_path / "line.npy"])
    with pytest.raises(ValueError, match="axes is"):
        Files([tmp_path], (3,))
