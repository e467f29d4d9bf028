"""Recipes: what is wrong is said by its name."""

import pytest

from gadgets.mri.training.recipe import read

GOOD = "{name: a, method: modl, licence: CC0, data: {generated: 4}}"


def test_a_short_recipe_has_defaults(tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text(GOOD)
    recipe = read(path)
    assert recipe.losses == {"l1": 1.0} and recipe.data.generated == 4 and recipe.schedule.epochs == 10


@pytest.mark.parametrize(
    "text, message",
    [
        ("[1, 2]", "not a recipe"),
        ("{name: a, method: modl, licence: CC0}", "needs the settings data"),
        (GOOD.replace("name: a", "name: a b"), "name is 'a b'"),
        (GOOD.replace("licence", "license"), "has no setting license"),
        (GOOD.replace("generated: 4", "folder: x"), "Data has no setting folder"),
        (GOOD.replace("generated: 4", "train: [a.npy]"), "`validation` is missing"),
        (GOOD.replace("generated: 4", "train: [a.npy], validation: [a.npy]"), "a.npy stands in `train` and in"),
        (GOOD.replace("}}", "}, schedule: {epochs: 0}}"), r"schedule\.epochs is 0"),
        (GOOD.replace("}}", "}, simulation: {patterns: [spiral]}}"), "no pattern spiral"),
        (GOOD.replace("4}", "4, maps: [a.h5]}"), r"data\.maps is \('a\.h5',\) and simulation\.measured 0\.0"),
        (GOOD.replace("}}", "}, simulation: {measured: 0.5}}"), "give both, or neither"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, text, message):
    path = tmp_path / "recipe.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        read(path)
