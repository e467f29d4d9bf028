"""A decoder makes planes of any size of its parameters alone."""

import pytest
import torch

from gadgets.mri.networks.conv_decoder import ConvDecoder


@pytest.mark.parametrize("matrix", [(16, 16), (45, 20), (2, 7)])
def test_planes_have_the_matrix(matrix):
    assert ConvDecoder(4, matrix, width=6, layers=3)().shape == (4, *matrix)


def test_the_random_map_is_no_parameter_but_belongs_to_the_state():
    torch.manual_seed(0)
    first, second = ConvDecoder(2, (16, 16), width=6, layers=3), ConvDecoder(2, (16, 16), width=6, layers=3)
    assert "seed" not in dict(first.named_parameters())
    assert not first().allclose(second())
    second.load_state_dict(first.state_dict())
    assert first().equal(second())


def test_every_parameter_has_a_gradient():
    torch.manual_seed(0)
    decoder = ConvDecoder(2, (16, 16), width=6, layers=3)
    decoder().square().sum().backward()
    assert all(bool(parameter.grad.any()) for parameter in decoder.parameters())


def test_gain_is_a_factor():
    planes = []
    for gain in (1.0, 0.01):
        torch.manual_seed(0)
        planes.append(ConvDecoder(2, (16, 16), width=6, layers=3, gain=gain)())
    torch.testing.assert_close(planes[1], 0.01 * planes[0])


def test_no_layer_is_refused():
    with pytest.raises(ValueError, match="width 4 and 0 layers"):
        ConvDecoder(2, (16, 16), width=4, layers=0)
