"""A training from its recipe to the model: that it learns, that it resumes, that its card holds."""

import shutil
from dataclasses import replace

import pytest
import torch

pytest.importorskip("pytorch_lightning", reason="training needs the extra [train]")

from gadgets.mri.methods.modl import Modl, ModlNetwork
from gadgets.mri.models import card as cards
from gadgets.mri.training.dataset import Generated, Simulated
from gadgets.mri.training.losses import l1
from gadgets.mri.training.recipe import Data, Recipe, Schedule
from gadgets.mri.training.run import train
from gadgets.mri.training.simulation import Simulation

# Of Lightning's own use of torch.
pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning")

RECIPE = Recipe(
    name="small",
    method="modl",
    licence="CC0",
    data=Data(generated=12),
    network={"iterations": 2, "width": 4, "layers": 3, "cg_iterations": 4},
    simulation=Simulation(matrix=(24, 24), coils=(3, 3), acceleration=(3, 3), centre=(6, 6), estimated=0),
    schedule=Schedule(epochs=2, batches=3, batch=2, rate=1e-3, validation=2),
)


class Ending(Generated):
    """Images that end all of a sudden, as those of a computer that is switched off."""

    def __init__(self, *arguments, left, **named):
        super().__init__(*arguments, **named)
        self.left = left

    def __getitem__(self, index):
        self.left -= 1
        if self.left < 0:
            raise ConnectionResetError("the end")
        return super().__getitem__(index)


def run(recipe, folder, *, images=1000, resume=False):
    """Train; as many images can be read."""
    torch.manual_seed(0)
    network = ModlNetwork(**recipe.network)
    train(recipe, network, Ending(12, 0, size=32, left=images), Generated(3, 1, size=32), folder, resume=resume)
    return network.state_dict()


@pytest.mark.filterwarnings("ignore:Checkpoint directory .* exists and is not empty:UserWarning")
def test_resumed_training_equals_uninterrupted_training(tmp_path):
    whole = run(RECIPE, tmp_path / "whole")
    # In the middle of the second epoch, of 3 batches of 2 images each.
    with pytest.raises(ConnectionResetError):
        run(RECIPE, tmp_path / "parts", images=8)
    resumed = run(RECIPE, tmp_path / "parts", resume=True)
    for name, value in whole.items():
        assert value.equal(resumed[name]), name
    begun = ModlNetwork(**RECIPE.network).state_dict()
    assert any(not value.equal(begun[name]) for name, value in whole.items())


def test_networks_learn_along_spokes():
    """Down the gradient of a batch, its loss falls: operators along a trajectory pass it on to the networks.

    That gradient is one of the solution that conjugate gradients come near to, of which four iterations fall short
    along spokes, whose samples crowd in the centre: the loss then rises.
    """
    simulation = replace(RECIPE.simulation, patterns=("radial",))
    example = Simulated(Generated(4, 0, size=32), simulation, batches=1, batch=2, seed=0)[0]
    torch.manual_seed(0)
    network = ModlNetwork(**RECIPE.network | {"cg_iterations": 10})
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    losses = []
    for _ in range(20):
        optimizer.zero_grad()
        loss = l1(network(example.kspace, example.csm), example.image)
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0]


def test_there_must_be_something_to_resume(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"last\.ckpt to resume from"):
        run(RECIPE, tmp_path, resume=True)


def test_the_model_works_as_a_method_within_its_card(tmp_path):
    run(RECIPE, tmp_path)
    card = cards.verify(tmp_path / "small.yaml")
    assert (card.coils, card.matrix, card.acceleration) == ((3, 3), (24, 24), (1.0, 3))
    assert set(card.validation) == {"scans", "unit", "own", "generated"}
    example = Simulated(Generated(3, 1, size=32), RECIPE.simulation, batches=1, batch=2, seed=0)[0]
    method = Modl(model=str(tmp_path / "small.yaml"))
    card.require(example.kspace)
    image = method(example.kspace, example.csm)
    assert image.shape == example.image.shape and not image.requires_grad
    torch.testing.assert_close(
        method(replace(example.kspace, data=1e3 * example.kspace.data), example.csm) / 1e3, image, rtol=1e-3, atol=1e-4
    )


def test_weights_that_were_changed_are_refused(tmp_path):
    run(RECIPE, tmp_path)
    copy = tmp_path / "copy"
    copy.mkdir()
    for ending in ("yaml", "safetensors"):
        shutil.copy(tmp_path / f"small.{ending}", copy)
    weights = copy / "small.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x01")
    with pytest.raises(ValueError, match="not those of its card"):
        cards.verify(copy / "small.yaml")
    weights.unlink()
    with pytest.raises(ValueError, match="has no weights"):
        Modl(model=str(copy / "small.yaml")).trained(torch.device("cpu"))
