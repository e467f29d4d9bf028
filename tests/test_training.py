"""The commands `train` and `models`, from a recipe on disk to verified figures."""

import h5py
import numpy as np
import pytest
import torch

pytest.importorskip("pytorch_lightning", reason="training needs the extra [train]")

from gadgets.mri.fft import fft
from gadgets.mri.models import card as cards
from gadgets.mri.training.coils import coil_ring
from pipelines.__main__ import main

# Of Lightning's own use of torch.
pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning")

RECIPE = """
name: small
method: modl
licence: CC0
data: {generated: 10}
network: {iterations: 2, width: 4, layers: 3, cg_iterations: 4}
simulation: {matrix: [24, 24], coils: [3, 3], acceleration: [3, 3], centre: [6, 6], estimated: 0}
schedule: {epochs: 1, batches: 3, batch: 2, rate: 0.001, validation: 2}
"""


@pytest.fixture
def recipe(tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text(RECIPE)
    return path


def test_from_a_recipe_to_a_verified_model(recipe, tmp_path, capsys):
    folder = tmp_path / "made"
    assert main(["train", str(recipe), "-o", str(folder)]) == 0
    printed = capsys.readouterr().out
    assert printed.splitlines()[-1] == str(folder / "small.yaml")
    assert {"generated:", "own:"} <= {line.split()[0] for line in printed.splitlines()[:-1]}
    card = str(folder / "small.yaml")
    assert main(["models", "list", card]) == 0
    assert "small  modl" in capsys.readouterr().out
    assert main(["models", "verify", card, "--data", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "the weights are those of the card" in lines[0] and len(lines) == 5

    assert main(["train", str(recipe), "-o", str(folder)]) == 1
    assert "holds a training already; resume it" in capsys.readouterr().err


def test_figures_that_do_not_come_out_again_are_refused(recipe, tmp_path, capsys):
    assert main(["train", str(recipe), "-o", str(tmp_path)]) == 0
    path = tmp_path / "small.yaml"
    figure = cards.read(path).validation["generated"]["psnr"]
    path.write_text(path.read_text().replace(f"psnr: {figure}", f"psnr: {figure + 1}"))
    assert main(["models", "verify", str(path)]) == 1
    assert "psnr of generated scans is" in capsys.readouterr().err


def test_methods_without_a_network_are_refused(recipe, tmp_path, capsys):
    recipe.write_text(RECIPE.replace("method: modl", "method: cg_sense"))
    assert main(["train", str(recipe), "-o", str(tmp_path)]) == 1
    assert "cg_sense has no network to train; those that have are: equilibrated_zeroth_order" in capsys.readouterr().err


def test_coils_of_scans_and_spokes(recipe, tmp_path, capsys):
    """A recipe names files of k-space, beside itself or in the folder of data; the card says whose coils they were."""
    images = coil_ring(4, (24, 24), np.random.default_rng(0))
    images[:, :4], images[:, -4:] = 0, 0
    with h5py.File(tmp_path / "scan.h5", "w") as file:
        file["kspace"] = fft(torch.from_numpy(images[None]), (-2, -1)).numpy()
    text = RECIPE.replace("generated: 10", "generated: 10, maps: [scan.h5]")
    recipe.write_text(text.replace("estimated: 0", "estimated: 0, measured: 0.5, patterns: [radial]"))
    assert main(["train", str(recipe), "-o", str(tmp_path)]) == 0
    card = cards.read(tmp_path / "small.yaml")
    assert card.trajectory == "non-cartesian" and card.data.endswith("; coils of scan.h5")
    # Without the data, and with them.
    for more in ([], ["--data", str(tmp_path)]):
        assert main(["models", "verify", str(tmp_path / "small.yaml"), *more]) == 0
        assert "as the card says" in capsys.readouterr().out
    (tmp_path / "scan.h5").unlink()
    assert main(["models", "verify", str(tmp_path / "small.yaml"), "--data", str(tmp_path)]) == 1
    assert "there is no file" in capsys.readouterr().err
