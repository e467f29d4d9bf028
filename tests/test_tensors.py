import numpy as np
import pytest
import torch

from gadgets import recon_buffers, tensors
from gadgets.stream.codec import encode
from gadgets.stream.transport import decoded
from tests.support.buffers import random_kspace, recon_buffer, recon_data


def over_the_wire(item):
    (copy,) = decoded(b"".join(encode(item)))
    return copy


def test_k_space_is_the_buffer_itself():
    values = random_kspace((2, 1, 3, 4, 2, 6, 8))
    buffer = recon_buffer(values)
    kspace = tensors.kspace(buffer)
    np.testing.assert_array_equal(kspace.data, values.astype(np.complex64))
    assert np.shares_memory(kspace.data.numpy(), buffer.data)
    assert kspace.mask.all()


def test_read_only_data_are_copied():
    buffer = recon_buffer(random_kspace((1, 1, 1, 2, 1, 6, 8)))
    buffer.data.flags.writeable = False
    assert tensors.kspace(buffer).data.shape == (1, 1, 1, 2, 1, 6, 8)


def test_the_mask_says_which_lines_have_headers():
    acquired = np.random.default_rng(0).random((2, 1, 3, 2, 6)) < 0.5
    mask = tensors.kspace(recon_buffer(random_kspace((2, 1, 3, 4, 2, 6, 8)), acquired)).mask
    np.testing.assert_array_equal(mask, np.broadcast_to(acquired[:, :, :, None, :, :, None], (2, 1, 3, 1, 2, 6, 8)))


def test_zeros_that_were_acquired_count_as_acquired():
    assert tensors.kspace(recon_buffer(np.zeros((1, 1, 1, 2, 1, 6, 8)))).mask.all()


def test_discarded_samples_are_not_acquired():
    mask = tensors.kspace(recon_buffer(random_kspace((1, 1, 1, 2, 1, 6, 8)), discard_pre=2, discard_post=1)).mask
    assert mask[0, 0, 0, 0, 0, 3].tolist() == [False] * 2 + [True] * 5 + [False]


def test_short_readouts_lie_around_the_centre():
    buffer = recon_buffer(random_kspace((1, 1, 1, 2, 1, 6, 8)), number_of_samples=5, center_sample=1)
    assert tensors.kspace(buffer).mask[0, 0, 0, 0, 0, 0].tolist() == [False] * 3 + [True] * 5


def test_a_stale_centre_is_not_believed():
    assert tensors.kspace(recon_buffer(random_kspace((1, 1, 1, 2, 1, 6, 8)), center_sample=8)).mask.all()


def test_whole_readouts_are_where_they_are_whatever_their_centre_is_said_to_be():
    assert tensors.kspace(recon_buffer(random_kspace((1, 1, 1, 2, 1, 6, 8)), center_sample=3)).mask.all()


def test_data_without_headers_are_masked_where_they_are_zero_and_that_is_said(caplog):
    values = random_kspace((1, 1, 1, 2, 1, 6, 8))
    values[..., 3, :] = 0
    mask = tensors.kspace(recon_buffer(values, number_of_samples=0)).mask
    assert mask[0, 0, 0, 0, 0, :, 0].tolist() == [True] * 3 + [False] + [True] * 2
    assert "without acquisition headers" in caplog.text


def test_a_small_reference_is_put_centre_on_centre():
    values = random_kspace((1, 1, 1, 2, 1, 12, 8))
    small = recon_buffer(values[..., 3:8, 1:])
    small.sampling.sampling_limits[0].center = 3
    small.sampling.sampling_limits[1].center = 3
    placed = tensors.reference(small, recon_buffer(values))
    np.testing.assert_array_equal(placed.data[..., 3:8, 1:], values[..., 3:8, 1:].astype(np.complex64))
    assert placed.mask.sum() == 5 * 7
    assert (placed.data != 0).sum() == 2 * 5 * 7


def test_a_reference_larger_than_the_data_is_cropped():
    values = random_kspace((1, 1, 1, 2, 1, 12, 8))
    placed = tensors.reference(recon_buffer(values), recon_buffer(values[..., 2:10, :]))
    np.testing.assert_array_equal(placed.data, values[..., 2:10, :].astype(np.complex64))


def test_a_reference_of_other_channels_is_refused():
    with pytest.raises(ValueError, match="reference has 3 channels .* data have 2"):
        tensors.reference(
            recon_buffer(random_kspace((1, 1, 1, 3, 1, 6, 8))), recon_buffer(random_kspace((1, 1, 1, 2, 1, 6, 8)))
        )


def test_maps_survive_the_wire():
    data = recon_buffer(random_kspace((3, 1, 2, 4, 1, 6, 8)), np.arange(6) % 2 == 0)
    csm = torch.from_numpy(random_kspace((3, 1, 1, 4, 1, 6, 8)).astype(np.complex64))
    bit = over_the_wire(recon_data((data, recon_buffers.maps_buffer(csm.numpy(), data)))).bits[0]
    assert recon_buffers.holds_maps(bit.ref)
    torch.testing.assert_close(tensors.tensor(bit.ref.data), csm)
    assert recon_buffers.slices(bit.ref) == recon_buffers.slices(bit.data) == [0, 1, 2]


def test_k_space_is_not_taken_for_maps():
    data = recon_buffer(random_kspace((1, 1, 1, 2, 1, 6, 8)), flags=np.uint64(1 << 19))
    assert not recon_buffers.holds_maps(data)
    assert not recon_buffers.holds_maps(None)


def test_slices_are_told_by_the_headers():
    acquired = np.ones((3, 1, 2, 1, 1), bool)
    acquired[1] = False
    assert recon_buffers.slices(recon_buffer(random_kspace((3, 1, 2, 2, 1, 6, 8)), acquired)) == [0, None, 2]
    with pytest.raises(ValueError, match="slices belong in LOC"):
        number = np.arange(2).reshape(1, 1, 2, 1, 1)
        recon_buffers.slices(recon_buffer(random_kspace((1, 1, 2, 2, 1, 6, 8)), slice=number))


@pytest.mark.parametrize("lines", [1, 7])
def test_too_few_central_lines_are_refused(lines):
    acquired = np.arange(24) % 4 == 2
    acquired[12 - lines // 2 : 12 + (lines + 1) // 2] = True
    kspace = tensors.kspace(recon_buffer(random_kspace((1, 1, 1, 2, 1, 24, 8)), acquired))
    with pytest.raises(ValueError, match="calibration needs 8"):
        tensors.require_calibration(kspace)


def test_images_are_cropped_to_the_reconstructed_field_of_view():
    buffer = recon_buffer(
        random_kspace((1, 1, 1, 2, 4, 12, 8)), encoded_fov=(32, 24, 12), recon_fov=(32, 16, 6), recon_matrix=(8, 8, 2)
    )
    images = torch.randn(1, 1, 1, 1, 4, 12, 8, dtype=torch.complex64)
    cropped, size = tensors.to_reconstructed(images, buffer.sampling)
    torch.testing.assert_close(cropped, images[..., 1:3, 2:10, :])
    assert size == [32, 16, 6]


def test_interpolation_keeps_the_field_of_view():
    buffer = recon_buffer(random_kspace((1, 1, 1, 2, 1, 12, 8)), recon_matrix=(16, 24, 1))
    images = torch.ones(1, 1, 1, 1, 1, 12, 8, dtype=torch.complex64)
    finer, size = tensors.to_reconstructed(images, buffer.sampling)
    assert finer.shape[-3:] == (1, 24, 16)
    assert size == [16, 24, 2]
    torch.testing.assert_close(finer, torch.ones_like(finer))


def test_readouts_that_were_cropped_are_not_cropped_again():
    buffer = recon_buffer(
        random_kspace((1, 1, 1, 2, 1, 12, 8)), encoded_fov=(32, 24, 2), recon_fov=(16, 24, 2), recon_matrix=(8, 12, 1)
    )
    buffer.sampling.encoded_matrix[0] = 16
    images = torch.randn(1, 1, 1, 1, 1, 12, 8, dtype=torch.complex64)
    same, size = tensors.to_reconstructed(images, buffer.sampling)
    torch.testing.assert_close(same, images)
    assert size == [16, 24, 2]


def test_the_size_of_a_voxel_is_true_where_the_field_of_view_is_not_whole_voxels():
    buffer = recon_buffer(
        random_kspace((1, 1, 1, 2, 1, 12, 8)), encoded_fov=(16, 24, 2), recon_fov=(16, 17, 2), recon_matrix=(8, 8, 1)
    )
    _, size = tensors.to_reconstructed(torch.zeros(1, 1, 1, 1, 1, 12, 8, dtype=torch.complex64), buffer.sampling)
    assert size == [16, 16, 2]
