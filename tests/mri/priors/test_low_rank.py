"""Thresholds of singular values beyond what every prior must do."""

import pytest
import torch

from gadgets.mri.priors.low_rank import threshold


@pytest.mark.parametrize("shape", [(3, 5, 40), (3, 40, 5), (2, 3, 6, 6)])
@pytest.mark.parametrize("level", [0.0, 1e-4, 0.3])
def test_it_is_that_of_the_decomposition(shape, level):
    torch.manual_seed(0)
    # Singular values from 1 down to what single precision can hardly tell from 0.
    rank = min(shape[-2:])
    left = torch.linalg.qr(torch.randn(*shape[:-1], rank, dtype=torch.complex128))[0]
    right = torch.linalg.qr(torch.randn(*shape[:-2], shape[-1], rank, dtype=torch.complex128))[0]
    s = torch.logspace(0, -6, rank, dtype=torch.float64)
    matrices = (left * s) @ right.mH
    expected = (left * (s - level).clamp_min(0)) @ right.mH
    torch.testing.assert_close(threshold(matrices, level), expected, rtol=0, atol=1e-8)
    single = threshold(matrices.to(torch.complex64), level)
    # As far off as single precision itself, however far below the largest singular value the level is.
    torch.testing.assert_close(single, expected.to(torch.complex64), rtol=0, atol=1e-6)
