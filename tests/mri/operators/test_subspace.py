"""Subspaces of signals beyond what every operator must do."""

import pytest
import torch

from gadgets.mri.operators.subspace import SubspaceOp


def test_signals_of_that_rank_are_kept():
    torch.manual_seed(0)
    courses = torch.randn(3, 20, dtype=torch.complex64)
    signals = torch.randn(100, 3, dtype=torch.complex64) @ courses
    operator = SubspaceOp.from_signals(signals, 3)
    torch.testing.assert_close(operator.basis.mH @ operator.basis, torch.eye(3).to(torch.complex64))
    frames = signals.T.reshape(20, 1, 1, 10, 10)
    kept = operator(operator.H(frames))
    torch.testing.assert_close(kept, frames, rtol=1e-4, atol=1e-4)


def test_wrong_use_is_refused():
    with pytest.raises(ValueError, match="rank is 5, expected 1 to 4"):
        SubspaceOp.from_signals(torch.randn(10, 4), 5)
    with pytest.raises(ValueError, match=r"basis has shape \(2, 3\)"):
        SubspaceOp(torch.randn(2, 3))
    with pytest.raises(ValueError, match=r"images have shape \(4, 1, 1, 2, 2\), expected \(\*other, 3, coil"):
        SubspaceOp(torch.randn(5, 3))(torch.zeros(4, 1, 1, 2, 2))
