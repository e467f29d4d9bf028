"""A training, from its recipe to the model and its card."""

from __future__ import annotations

import logging
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as lightning
import torch
from numpy.typing import NDArray
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.loggers import CSVLogger
from torch import nn
from torch.utils.data import DataLoader

from gadgets.mri.models import card as cards
from gadgets.mri.models.card import ModelCard
from gadgets.mri.models.trained import save
from gadgets.mri.training.adversarial import Adversarial
from gadgets.mri.training.dataset import Generated, Images, Simulated
from gadgets.mri.training.recipe import Recipe
from gadgets.mri.training.simulation import Example
from gadgets.mri.training.supervised import Supervised

log = logging.getLogger(__name__)

Maps = Sequence[NDArray[np.complexfloating]]

#: Where in the folder of a training its last epoch is kept.
LAST = Path("checkpoint", "last.ckpt")

# Added to a recipe's seed for validation, whose scans are the same after each epoch.
_VALIDATION = 1 << 20


class Scans(lightning.LightningDataModule):
    """Scans of a recipe. Those of training are others in each epoch, and the same whether or not it was resumed.

    Of n devices, Lightning gives the i-th the batches i, i + n, i + 2 n, ... of an epoch, as what it does to loaders
    that do not shuffle. A batch depends on its number and not on who makes it, so devices see different scans, and all
    together those that one device would see.
    """

    def __init__(self, recipe: Recipe, train: Images, validation: Images, maps: Maps = ()) -> None:
        super().__init__()
        self._recipe, self._train, self._validation, self._maps = recipe, train, validation, maps

    def train_dataloader(self) -> DataLoader[Example]:
        epoch = 0 if self.trainer is None else self.trainer.current_epoch
        return self._loader(self._train, self._recipe.schedule.batches, self._recipe.seed, epoch, self._recipe.held_out)

    def val_dataloader(self) -> DataLoader[Example]:
        return self._loader(self._validation, self._recipe.schedule.validation, self._recipe.seed + _VALIDATION, 0, 0)

    def transfer_batch_to_device(self, batch: Example, device: torch.device, dataloader_idx: int) -> Example:
        """The same scans on another device."""
        return replace(
            batch,
            kspace=batch.kspace.to(device),
            csm=batch.csm.to(device),
            image=batch.image.to(device),
            held_out=None if batch.held_out is None else batch.held_out.to(device),
        )

    def _loader(self, images: Images, batches: int, seed: int, epoch: int, held_out: float) -> DataLoader[Example]:
        schedule = self._recipe.schedule
        scans = Simulated(
            images,
            self._recipe.simulation,
            batches=batches,
            batch=schedule.batch,
            seed=seed,
            epoch=epoch,
            held_out=held_out,
            maps=self._maps,
        )
        # Batches are whole already; and they are random already, so their order need not be.
        return DataLoader(scans, batch_size=None, shuffle=False, num_workers=schedule.workers)


def train(
    recipe: Recipe,
    network: nn.Module,
    train: Images,
    validation: Images,
    folder: Path,
    *,
    maps: Maps = (),
    resume: bool = False,
    devices: int | str = "auto",
) -> ModelCard:
    """Train `network` as the recipe says, and write NAME.safetensors and NAME.yaml into `folder`; the card.

    Lightning keeps a checkpoint of the last epoch and its log (CSV) in `folder`; with `resume`, training goes on from
    there, and ends as it would have without the interruption. All devices that Lightning finds are used, or so many:
    each has a process of its own, and their gradients are averaged. The batches of an epoch are shared out among them.
    maps: those of real scans, by `measured_maps`.

    Raises FileNotFoundError to resume where there is no checkpoint.
    """
    last = folder / LAST
    if resume and not last.is_file():
        raise FileNotFoundError(f"there is no checkpoint {last} to resume from")
    schedule = recipe.schedule
    kind = Adversarial if hasattr(network, "psi") else Supervised
    trainer = lightning.Trainer(
        max_epochs=schedule.epochs,
        devices=devices,
        default_root_dir=folder,
        # Whenever an epoch ends, in the place of the one before.
        callbacks=[
            ModelCheckpoint(
                folder / LAST.parent,
                LAST.stem,
                save_top_k=1,
                save_on_train_epoch_end=True,
                enable_version_counter=False,
            )
        ],
        logger=CSVLogger(folder, name="log"),
        # Where optimizers take turns, gradients are kept in bounds by their own condition.
        gradient_clip_val=None if kind is Adversarial else 1.0,
        log_every_n_steps=min(50, schedule.batches),
        reload_dataloaders_every_n_epochs=1,
        inference_mode=False,
        num_sanity_val_steps=0,
        enable_progress_bar=sys.stderr.isatty(),
        enable_model_summary=False,
    )
    # Devices that share batches make fewer steps each.
    steps = schedule.epochs * math.ceil(schedule.batches / trainer.world_size)
    module = kind(network, losses=recipe.losses, rate=schedule.rate, steps=steps)
    scans = Scans(recipe, train, validation, maps)
    trainer.fit(module, scans, ckpt_path=last if resume else None, weights_only=True if resume else None)
    # All processes hold the same network; one of them writes it.
    if trainer.is_global_zero:
        figures = validate(recipe, network, {"own": validation}, maps)
        log.info("%s: %s", recipe.name, figures)
        write(recipe, network, folder, figures)
    trainer.strategy.barrier()
    return cards.read(folder / f"{recipe.name}.yaml")


def validate(
    recipe: Recipe, network: nn.Module, images: Mapping[str, Images], maps: Maps = ()
) -> dict[str, dict[str, float]]:
    """PSNR in dB of a network and of zero filling, on scans of the recipe made from each of some sets of images.

    A set of random anatomy, seen by computed coils, is always added, so that its figures can be had again without any
    data.
    """
    computed = replace(recipe, data=replace(recipe.data, maps=()), simulation=replace(recipe.simulation, measured=0.0))
    sets = {name: Scans(recipe, some, some, maps) for name, some in images.items()}
    generated = Generated(50, recipe.seed + _VALIDATION)
    sets["generated"] = Scans(computed, generated, generated)
    trainer = lightning.Trainer(
        # Of several, each would see a part of the scans, and figures would be those of a part.
        devices=1,
        logger=False,
        # Methods that descend a learned number need its gradient here too.
        inference_mode=False,
        enable_progress_bar=sys.stderr.isatty(),
        enable_model_summary=False,
        enable_checkpointing=False,
    )
    module = Supervised(network, losses=recipe.losses, rate=recipe.schedule.rate, steps=1)
    found = {}
    for name, scans in sets.items():
        (figures,) = trainer.validate(module, scans, verbose=False)
        found[name] = {key: round(float(value), 2) for key, value in figures.items()}
    return found


def write(recipe: Recipe, network: nn.Module, folder: Path, figures: Mapping[str, Mapping[str, float]]) -> ModelCard:
    """Write the weights and the card of a trained network; the card."""
    simulation = recipe.simulation
    data = ", ".join(recipe.data.train) or f"{recipe.data.generated} images of random anatomy"
    card = ModelCard(
        name=recipe.name,
        method=recipe.method,
        sha256=save(network, folder / f"{recipe.name}.safetensors"),
        data=data + (f"; coils of {', '.join(recipe.data.maps)}" if recipe.data.maps else ""),
        normalisation="none: networks are homogeneous, N(a x) = a N(x)",
        licence=recipe.licence,
        # Calibration lines on top of a pattern lower what it comes to, down to all of k-space.
        acceleration=(1.0, simulation.acceleration[1]),
        coils=(simulation.coils[0], simulation.coils[1]),
        matrix=(simulation.matrix[0], simulation.matrix[1]),
        trajectory="non-cartesian" if simulation.radial else "cartesian",
        network=dict(recipe.network),
        recipe=plain(asdict(recipe)),
        validation={"scans": recipe.schedule.validation * recipe.schedule.batch, "unit": "dB", **figures},
        made={"torch": version("torch"), "lightning": version("pytorch-lightning")},
    )
    card.write(folder / f"{recipe.name}.yaml")
    return card


def plain(value: Any) -> Any:
    """The same with lists in the place of tuples, as YAML has them."""
    if isinstance(value, Mapping):
        return {key: plain(one) for key, one in value.items()}
    return [plain(one) for one in value] if isinstance(value, tuple | list) else value
