"""Sums of parts beyond what every prior must do."""

import pytest
import torch

from gadgets.mri.priors.l1 import L1
from gadgets.mri.priors.quadratic import Quadratic
from gadgets.mri.priors.separate import Separate


def test_each_part_has_its_own_prior_and_steps_of_elements_are_kept():
    torch.manual_seed(0)
    x = torch.randn(2, 3, 5)
    step = torch.tensor([0.1, 0.5, 2.0])[:, None]
    prior = Separate(priors=(L1(weight=0.3), Quadratic(weight=0.7)))
    out = prior.prox(x, step[None])
    torch.testing.assert_close(out[0], L1(weight=0.3).prox(x[0], step))
    torch.testing.assert_close(out[1], Quadratic(weight=0.7).prox(x[1], step))


def test_another_number_of_parts_is_refused():
    with pytest.raises(ValueError, match=r"x has shape \(3, 4\), expected 2 parts"):
        Separate(priors=(L1(), L1())).prox(torch.zeros(3, 4), 1.0)
