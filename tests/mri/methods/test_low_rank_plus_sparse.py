"""L + S: a background that hardly changes, and what moves before it."""

import pytest
import torch

from gadgets.mri.kspace import KSpace
from gadgets.mri.methods.low_rank_plus_sparse import LowRankPlusSparse
from gadgets.mri.quality.errors import nrmse
from tests.support.series import dense_centre, perfusion, sampled

# With such a weight a part is 0, and the other prior is alone.
NEVER = 1e3


def changes(images):
    """What differs from the mean of the frames."""
    return images - images.mean(dim=0)


def correlation(a, b):
    return float((torch.vdot(a.flatten(), b.flatten()) / (a.norm() * b.norm())).abs())


@pytest.mark.parametrize(("size", "acceleration"), [(64, 6), pytest.param(96, 8, marks=pytest.mark.slow)])
def test_better_than_either_prior_alone(size, acceleration):
    background, motion = perfusion(size)
    truth = (background + motion).abs().numpy()
    kspace = sampled(background + motion, dense_centre(32, size, acceleration))
    csm = LowRankPlusSparse().calibrate(kspace)
    assert csm.shape[0] == 1

    def error(**weights):
        return nrmse(LowRankPlusSparse(**weights)(kspace, csm).abs().numpy(), truth)

    # The others at the best of three weights each, about the default.
    low_rank = min(error(low_rank=weight, sparse=NEVER) for weight in (0.005, 0.01, 0.02))
    sparse = min(error(low_rank=NEVER, sparse=weight) for weight in (0.005, 0.01, 0.02))
    assert error() < min(low_rank, sparse)


def test_what_moves_is_apart_from_what_only_changes_its_brightness():
    background, motion = perfusion(64)
    kspace = sampled(background + motion, dense_centre(32, 64, 6))
    method = LowRankPlusSparse()
    csm = method.calibrate(kspace)
    low_rank, sparse = method.components(kspace, csm)
    torch.testing.assert_close(low_rank + sparse, method(kspace, csm))
    # What rests may lie in either part: rank 1 is as cheap as one frequency. What changes is told apart.
    assert correlation(changes(sparse), motion) > 0.9
    assert correlation(changes(sparse), changes(background)) < 0.1
    # The disc beats 8 times: of that frequency, the background keeps the lesser part.
    assert torch.fft.fft(low_rank, dim=0)[8].norm() < torch.fft.fft(sparse, dim=0)[8].norm() / 2
    # Three arrivals and what rests: of more courses than these the background has next to nothing.
    s = torch.linalg.svdvals(low_rank.flatten(1))
    assert float(s[:4].square().sum() / s.square().sum()) > 0.999


@pytest.mark.parametrize("axes", [(), (1,), (3, 1)])
def test_a_single_frame_is_refused(axes):
    one = torch.ones(*axes, 2, 1, 8, 8, dtype=torch.complex64)
    with pytest.raises(ValueError, match="low_rank_plus_sparse reconstructs series .* has a single frame"):
        LowRankPlusSparse()(KSpace.from_data(one), one)


def test_no_signal_and_wrong_settings():
    background, _ = perfusion(16, 4)
    kspace = sampled(background, dense_centre(4, 16, 2))
    csm = LowRankPlusSparse().calibrate(kspace)
    silent = KSpace(data=torch.zeros_like(kspace.data), mask=kspace.mask)
    assert not LowRankPlusSparse()(silent, csm).any()
    with pytest.raises(ValueError, match="LowRankPlusSparse.low_rank is 0"):
        LowRankPlusSparse(low_rank=0)
    with pytest.raises(ValueError, match="LowRankPlusSparse.sparse is -1"):
        LowRankPlusSparse(sparse=-1)
