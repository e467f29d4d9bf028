"""Low rank of patches beyond what every prior must do."""

import pytest
import torch

from gadgets.mri.priors.locally_low_rank import LocallyLowRank
from gadgets.mri.priors.low_rank import LowRank


def series(matrix=(2, 5, 6)):
    torch.manual_seed(0)
    return torch.randn(3, 4, 1, *matrix, dtype=torch.complex128)


def test_one_patch_is_the_whole():
    x = series()
    local, whole = LocallyLowRank(patch=(2, 5, 6), weight=2.0), LowRank(weight=2.0)
    torch.testing.assert_close(local.value(x), whole.value(x))
    torch.testing.assert_close(local.prox(x, 0.7), whole.prox(x, 0.7))


def test_patches_are_apart_and_begin_at_the_shift():
    x = series((1, 6, 6))
    alone = torch.zeros_like(x)
    alone[..., 1:4, 2:4] = x[..., 1:4, 2:4]
    prior = LocallyLowRank(patch=(1, 3, 2), shift=(0, 1, 2), weight=1.5)
    torch.testing.assert_close(prior.prox(alone, 1.0)[..., 1:4, 2:4], prior.prox(x, 1.0)[..., 1:4, 2:4])
    assert prior.value(x) > prior.value(alone)


def test_a_generator_draws_a_new_shift_each_time():
    x = series()
    prior = LocallyLowRank(patch=(1, 4, 4), generator=torch.Generator().manual_seed(1))
    again = LocallyLowRank(patch=(1, 4, 4), generator=torch.Generator().manual_seed(1))
    first = prior.prox(x, 1.0)
    assert not torch.allclose(first, prior.prox(x, 1.0))
    assert first.equal(again.prox(x, 1.0))


def test_what_is_no_series_of_images_is_refused():
    with pytest.raises(ValueError, match=r"images have shape \(4, 2, 5, 6\), expected \(\*other, time, 1, z, y, x\)"):
        LocallyLowRank().prox(torch.zeros(4, 2, 5, 6), 1.0)
    with pytest.raises(ValueError, match=r"patch is \(8, 8\), expected three lengths"):
        LocallyLowRank(patch=(8, 8))
    with pytest.raises(ValueError, match=r"shift is \(1,\), expected three"):
        LocallyLowRank(shift=(1,))
    with pytest.raises(ValueError, match=r"time is axis -5, expected -4 to -2 for shape \(4, 2, 5, 6\)"):
        LowRank().prox(torch.zeros(4, 2, 5, 6), 1.0)
