"""A training on two devices: they see different scans, together those of one device, and end with one model."""

import subprocess
import sys

import numpy as np
import pytest
import torch

pytest.importorskip("pytorch_lightning", reason="training needs the extra [train]")

from gadgets.mri.models import card as cards
from gadgets.mri.training.dataset import Simulated
from gadgets.mri.training.run import LAST
from gadgets.mri.training.simulation import Simulation

# Started anew for each device, as any program that trains is.
TRAINING = """
import os, sys
from pathlib import Path
import numpy as np
import torch
from gadgets.mri.methods.modl import ModlNetwork
from gadgets.mri.training.recipe import Data, Recipe, Schedule
from gadgets.mri.training.run import train
from gadgets.mri.training.simulation import Simulation

torch.set_num_threads(1)
folder = Path(sys.argv[1])
place = os.environ.get("LOCAL_RANK", "0")

class Noted:
    def __len__(self):
        return 1 << 20

    def __getitem__(self, index):
        with open(folder / f"images{place}.txt", "a") as file:
            print(index, file=file)
        return np.pad(np.ones((8, 8), np.float32), 8)

recipe = Recipe(
    name="small", method="modl", licence="CC0", data=Data(generated=1),
    network={"iterations": 1, "width": 2, "layers": 2, "cg_iterations": 2},
    simulation=Simulation(matrix=(16, 16), coils=(2, 2), acceleration=(2, 2), centre=(6, 6), estimated=0),
    schedule=Schedule(epochs=2, batches=4, batch=1, validation=1),
)
torch.manual_seed(0)
network = ModlNetwork(**recipe.network)
card = train(recipe, network, Noted(), [np.pad(np.ones((8, 8), np.float32), 8)], folder, devices=2)
(folder / f"sha{place}.txt").write_text(card.sha256)
"""


class Noted:
    """Images that know which of them were asked for: so many that no two batches have the same."""

    def __init__(self):
        self.seen = []

    def __len__(self):
        return 1 << 20

    def __getitem__(self, index):
        self.seen.append(index)
        return np.pad(np.ones((8, 8), np.float32), 8)


@pytest.mark.slow
def test_devices_share_the_scans_of_an_epoch(tmp_path):
    program = tmp_path / "training.py"
    program.write_text(TRAINING)
    subprocess.run([sys.executable, program, tmp_path], check=True, timeout=240, cwd=tmp_path)
    first, second = ([int(line) for line in (tmp_path / f"images{i}.txt").read_text().split()] for i in range(2))
    assert len(first) == len(second) == 4 and not set(first) & set(second)

    alone = Noted()
    simulation = Simulation(matrix=(16, 16), coils=(2, 2), acceleration=(2, 2), centre=(6, 6), estimated=0)
    for epoch in range(2):
        scans = Simulated(alone, simulation, batches=4, batch=1, seed=0, epoch=epoch)
        assert len([scans[index] for index in range(4)]) == 4
    assert sorted(first + second) == sorted(alone.seen)

    card = cards.verify(tmp_path / "small.yaml")
    assert [(tmp_path / f"sha{i}.txt").read_text() for i in range(2)] == 2 * [card.sha256]
    # The learning rate has come to its end: its cycle has as many steps as each device makes.
    (schedule,) = torch.load(tmp_path / LAST, weights_only=True)["lr_schedulers"]
    assert schedule["total_steps"] == schedule["last_epoch"] == 4
