"""Power iteration beyond the eigenvalue that it must find."""

import pytest
import torch

from gadgets.mri.solvers.power_iteration import power_iteration


def test_a_batch_has_eigenvalues_of_its_own():
    g = torch.diag_embed(torch.tensor([[1.0, 2.0, 0.5], [30.0, 3.0, 1.0], [0.0, 0.0, 0.0]], dtype=torch.float64))
    torch.manual_seed(0)
    start = torch.randn(3, 3, 1, dtype=torch.float64)
    result = power_iteration(lambda x: g @ x, start, iterations=200, tolerance=1e-6, batch_dims=(0,))
    torch.testing.assert_close(result.eigenvalue.flatten(), torch.tensor([2.0, 30.0, 0.0], dtype=torch.float64))
    assert 1 < result.iterations < 60
    assert (result.residual <= 1e-6).all()


def test_comes_from_below():
    torch.manual_seed(0)
    a = torch.randn(20, 12, dtype=torch.complex64)
    values = [
        float(power_iteration(lambda x: a.mH @ (a @ x), torch.ones(12, dtype=a.dtype), iterations=n).eigenvalue)
        for n in (1, 5)
    ]
    assert values[0] < values[1] <= float(torch.linalg.matrix_norm(a, 2)) ** 2 * (1 + 1e-5)
    with pytest.raises(ValueError, match="iterations is 0"):
        power_iteration(lambda x: x, torch.ones(2), iterations=0)
