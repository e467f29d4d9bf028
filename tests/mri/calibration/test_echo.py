"""Where the echo is, and k-space about it."""

import pytest
import torch

from gadgets.mri.calibration.echo import echo

PLACES = [(4, 6), (1, 2), (7, 0)]


def k_space(place):
    torch.manual_seed(0)
    data = 0.1 * torch.randn(3, 8, 9, dtype=torch.complex64)
    data[:, place[0], place[1]] = torch.polar(torch.tensor([3.0, 2.0, 4.0]), torch.tensor([0.5, -2.0, 3.0]))
    return data


@pytest.mark.parametrize("place", PLACES)
def test_it_comes_to_the_centre_with_phase_0_in_all_coils(place):
    found = echo(k_space(place))
    assert found.offset == (place[0] - 4, place[1] - 4)
    centre = found.centred(k_space(place))[:, 4, 4]
    torch.testing.assert_close(centre, torch.tensor([3.0, 2.0, 4.0], dtype=torch.complex64))
    torch.testing.assert_close(found.strengths, torch.tensor([3.0, 2.0, 4.0]) / 29**0.5)


@pytest.mark.parametrize("place", PLACES)
def test_there_and_back_is_where_it_was(place):
    data = k_space(place)
    found = echo(data)
    torch.testing.assert_close(found.displaced(found.centred(data)), data)
    mask = data.abs().sum(dim=0, keepdim=True) > 0.5
    assert ((found.centred(data).abs().sum(dim=0, keepdim=True) > 0.5) == found.centred_mask(mask)).all()


def test_coils_may_turn_as_they_like():
    data = k_space((1, 2))
    turned = torch.exp(1j * torch.tensor([1.0, -2.0, 0.3]))[:, None, None] * data
    torch.testing.assert_close(echo(turned).centred(turned), echo(data).centred(data))


def test_a_coil_without_a_signal_at_the_echo_keeps_its_samples():
    data = k_space((4, 4))
    data[1, 4, 4] = 0
    found = echo(data)
    assert found.centred(data)[1].equal(data[1])
    assert not echo(torch.zeros(2, 4, 4, dtype=torch.complex64)).strengths.any()
    assert echo(torch.zeros(2, 4, 4, dtype=torch.complex64)).phases.equal(torch.ones(2, 1, 1, dtype=torch.complex64))
