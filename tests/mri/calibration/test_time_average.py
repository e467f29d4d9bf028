"""What frames have sampled together."""

import torch

from gadgets.mri.calibration.time_average import time_average
from gadgets.mri.kspace import KSpace


def test_is_the_mean_over_the_frames_that_were_there():
    data = torch.randn(2, 3, 4, 1, 6, 5, dtype=torch.complex64)
    mask = torch.zeros(2, 3, 1, 1, 6, 5, dtype=torch.bool)
    mask[:, 0, ..., :3, :] = mask[:, 1, ..., 2:5, :] = True
    average = time_average(KSpace(data=data * mask, mask=mask))
    assert average.data.shape == (2, 1, 4, 1, 6, 5)
    torch.testing.assert_close(average.data[:, 0, :, :, :2], data[:, 0, :, :, :2])
    torch.testing.assert_close(average.data[:, 0, :, :, 2], data[:, :2, :, :, 2].mean(dim=1))
    assert average.mask.any(dim=-1).flatten(1).tolist() == [[True] * 5 + [False]] * 2


def test_a_mask_that_all_frames_share():
    data = torch.randn(3, 4, 1, 6, 5, dtype=torch.complex64)
    average = time_average(KSpace(data=data, mask=torch.ones(1, 1, 1, 6, 5).bool()))
    torch.testing.assert_close(average.data, data.mean(dim=0, keepdim=True))
    single = KSpace.from_data(data[0])
    assert time_average(single) is single


def test_along_trajectories_the_readouts_of_all_frames_stand_together():
    data, places = torch.randn(2, 3, 4, 1, 6, 5, dtype=torch.complex64), torch.rand(2, 3, 3, 1, 6, 5)
    mask = torch.rand(1, 3, 1, 1, 6, 1) > 0.5
    together = time_average(KSpace(data=data, mask=mask, trajectory=places, grid=(1, 8, 8)))
    assert together.data.shape == (2, 1, 4, 1, 18, 5)
    assert together.image_matrix == (1, 8, 8)
    for frame in range(3):
        part = slice(6 * frame, 6 * frame + 6)
        assert together.data[:, 0, :, :, part].equal(data[:, frame])
        assert together.trajectory[:, 0, :, :, part].equal(places[:, frame])
        assert together.mask[0, 0, 0, 0, part].equal(mask[0, frame, 0, 0].expand(6, 5))
    shared = time_average(KSpace(data=data, mask=mask, trajectory=places[:, :1], grid=(1, 8, 8)))
    assert shared.trajectory[..., 6:12, :].equal(places[:, :1])
