"""Differences beyond what every operator must do."""

import pytest
import torch

from gadgets.mri.operators.finite_difference import FiniteDifferenceOp


def test_the_end_of_an_axis():
    x = torch.tensor([1.0, 4.0, 9.0])
    assert FiniteDifferenceOp((-1,))(x).tolist() == [[3.0, 5.0, 0.0]]
    assert FiniteDifferenceOp((-1,), periodic=True)(x).tolist() == [[3.0, 5.0, -8.0]]


@pytest.mark.parametrize("periodic", [False, True])
def test_a_single_point_has_no_difference(periodic):
    x = torch.randn(3, 1, 4)
    operator = FiniteDifferenceOp((-2, -1), periodic=periodic)
    assert not operator(x)[0].any()
    assert operator.H(operator(x)).shape == x.shape


def test_wrong_use_is_refused():
    for axes in [(), (0,), (-1, -1)]:
        with pytest.raises(ValueError, match="expected different negative numbers"):
            FiniteDifferenceOp(axes)
    with pytest.raises(ValueError, match=r"differences have shape \(3, 4\), expected \(2, ...\)"):
        FiniteDifferenceOp().H(torch.zeros(3, 4))
