"""Model cards: what they refuse."""

import pytest
import torch

from gadgets.mri.kspace import KSpace
from gadgets.mri.models.card import ModelCard, find, read

CARD = ModelCard(
    name="a",
    method="modl",
    sha256="0",
    data="none",
    normalisation="none",
    licence="CC0",
    acceleration=(1.0, 4.0),
    coils=(2, 8),
    matrix=(16, 64),
    field_tesla=(1.5, 3.0),
)


def scan(coils=4, y=32, x=32, step=2, trajectory=None):
    mask = torch.zeros(1, 1, y, x, dtype=torch.bool)
    mask[..., ::step, :] = True
    grid = None if trajectory is None else (1, y, x)
    return KSpace(data=torch.zeros(coils, 1, y, x, dtype=torch.complex64), mask=mask, trajectory=trajectory, grid=grid)


def test_a_card_survives_its_file(tmp_path):
    CARD.write(tmp_path / "a.yaml")
    assert read(tmp_path / "a.yaml") == CARD


def test_what_a_model_is_made_for_passes():
    CARD.require(scan(), field_tesla=3.0)
    CARD.require(scan())


@pytest.mark.parametrize(
    "given, message",
    [
        ({"coils": 1}, "coils: 1, the model is for 2 to 8"),
        ({"y": 65}, "points along y: 65, the model is for 16 to 64"),
        ({"x": 12}, "points along x: 12"),
        ({"step": 8}, "acceleration: 8.0, the model is for 1.0 to 4.0"),
        ({"trajectory": torch.zeros(3, 1, 32, 32)}, "trajectory is non-cartesian, the model is for cartesian"),
        ({"coils": 9, "step": 8}, "coils: 9.*acceleration"),
    ],
)
def test_what_a_model_is_not_made_for_is_refused_with_every_reason(given, message):
    with pytest.raises(ValueError, match=message):
        CARD.require(scan(**given))


def test_another_field_is_refused():
    with pytest.raises(ValueError, match=r"0\.055 T, the model is for 1\.5 to 3\.0 T"):
        CARD.require(scan(), field_tesla=0.055)


def test_cards_that_are_none_are_refused(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("{name: a, colour: red}")
    with pytest.raises(ValueError, match=r"missing are \['acceleration'.*unknown are \['colour'\]"):
        read(path)
    with pytest.raises(ValueError, match="no model 'b'"):
        find("b")
