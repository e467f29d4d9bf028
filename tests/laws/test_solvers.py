"""What is true of every solver of linear systems."""

from pathlib import Path

import pytest
import torch

import gadgets.mri.solvers
from gadgets.mri.solvers.cg import cg

EXAMPLES = {"cg": lambda gram, rhs: cg(gram, rhs, iterations=20).x}


def test_every_solver_on_disk_has_an_example():
    folder = Path(next(iter(gadgets.mri.solvers.__path__)))
    assert {file.stem for file in folder.glob("[!_]*.py")} == set(EXAMPLES)


@pytest.mark.parametrize("name", EXAMPLES)
@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128])
def test_agrees_with_a_dense_solve(name, dtype):
    torch.manual_seed(0)
    a = torch.randn(12, 8, dtype=dtype)
    g, b = a.mH @ a, torch.randn(8, dtype=dtype)
    torch.testing.assert_close(EXAMPLES[name](lambda x: g @ x, b), torch.linalg.solve(g, b))
