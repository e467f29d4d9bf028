"""Trainings and models by the names of files: what the commands `train` and `models` do."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from gadgets.inputs.images import Files
from gadgets.inputs.raw import kspaces
from gadgets.mri import methods
from gadgets.mri.models import card as cards
from gadgets.mri.models.card import ModelCard
from gadgets.mri.training import recipe as recipes
from gadgets.mri.training.dataset import Generated, Images
from gadgets.mri.training.measured_coils import measured_maps
from gadgets.mri.training.recipe import Data

# How far figures of validation may lie from those of the card, in dB: other machines round otherwise.
_TOLERANCE = 0.05


def train(path: Path, folder: Path, *, data: Path | None = None, resume: bool = False) -> ModelCard:
    """Train what the recipe at `path` says, into `folder`; the card of the model.

    Paths in a recipe are relative to `data`, or to the recipe itself.

    Raises ValueError for a recipe that is wrong and FileExistsError where `folder` holds a training already.
    """
    import pytorch_lightning

    recipe = recipes.read(path)
    network_of = learned(recipe.method)
    run = importlib.import_module("gadgets.mri.training.run")
    if not resume and (folder / run.LAST).exists():
        raise FileExistsError(f"{folder} holds a training already; resume it, or give another folder")
    own = data or path.parent
    train_images, validation = _images(recipe.data, own, recipe.seed)
    maps = _maps(recipe.data, own)
    folder.mkdir(parents=True, exist_ok=True)
    pytorch_lightning.seed_everything(recipe.seed, verbose=False)
    made: ModelCard = run.train(
        recipe, network_of(**recipe.network), train_images, validation, folder, maps=maps, resume=resume
    )
    return made


def verify(name: str, data: Path | None = None) -> Iterator[str]:
    """Check the weights of a model against its card, and that its figures of validation come out again; lines of text.

    data: the folder that paths of the recipe are relative to; without it, only the generated scans are used.
    Raises ValueError for what does not agree.
    """
    path = cards.find(name)
    card = cards.verify(path)
    yield f"{card.name}: the weights are those of the card"
    recipe = recipes.from_values(card.recipe, str(path))
    from gadgets.mri.models.trained import trained

    run = importlib.import_module("gadgets.mri.training.run")
    network, _ = trained(name, card.method, learned(card.method), torch.device("cpu"))
    images: dict[str, Images] = {} if data is None else {"own": _images(recipe.data, data, recipe.seed)[1]}
    maps = [] if data is None else _maps(recipe.data, data)
    for kind, found in run.validate(recipe, network, images, maps).items():
        expected = card.validation[kind]
        for figure, value in found.items():
            if abs(value - expected[figure]) > _TOLERANCE:
                raise ValueError(
                    f"{card.name}: {figure} of {kind} scans is {value} dB, the card says {expected[figure]}"
                )
            yield f"{card.name}: {figure} of {kind} scans is {value} dB, as the card says"


def learned(method: str) -> Any:
    """The class of the network of a method. Raises ValueError for a method that has none, naming those that have."""
    network = getattr(methods.find(method), "network", None)
    if network is None:
        known = [name for name in methods.names() if getattr(methods.find(name), "network", None) is not None]
        raise ValueError(f"method {method} has no network to train; those that have are: {', '.join(known)}")
    return network


def _images(data: Data, folder: Path, seed: int) -> tuple[Images, Images]:
    """Images to train and to validate with."""
    if data.generated:
        return Generated(data.generated, seed), Generated(max(1, data.generated // 10), seed + 1)
    return (
        Files([folder / path for path in data.train], data.axes),
        Files([folder / path for path in data.validation]),
    )


def _maps(data: Data, folder: Path) -> list[NDArray[np.complex64]]:
    """Sensitivities of the scans that a recipe names."""
    return [measured_maps(kspace) for kspace in kspaces([folder / path for path in data.maps])]
