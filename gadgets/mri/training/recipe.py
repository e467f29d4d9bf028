"""Recipes: all that decides about a training, in one file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from gadgets.mri.settings import build
from gadgets.mri.training.simulation import Simulation


@dataclass(frozen=True, kw_only=True)
class Data:
    """Where images come from.

    train, validation: files, folders or patterns of either; no file may stand in both. axes: those across which volumes
    for training are sliced; those for validation are across the first. generated: how many images of random anatomy
    there are instead of files. maps: files of k-space, raw data of ISMRMRD or fastMRI, whose coils a share of the scans
    has, of training and of validation.
    """

    train: tuple[str, ...] = ()
    validation: tuple[str, ...] = ()
    axes: tuple[int, ...] = (0,)
    generated: int = 0
    maps: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if bool(self.train) == (self.generated > 0):
            raise ValueError("data: give either `train` (files) or `generated` (a number of images), and not both")
        if self.train and not self.validation:
            raise ValueError("data: `validation` is missing; its subjects must be others than those of `train`")
        both = sorted(set(self.train) & set(self.validation))
        if both:
            raise ValueError(f"data: {', '.join(both)} stands in `train` and in `validation`")


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """How long, in batches of how many scans, at what largest learning rate, with how many batches of validation."""

    epochs: int = 10
    batches: int = 100
    batch: int = 2
    rate: float = 1e-3
    validation: int = 10
    workers: int = 0

    def __post_init__(self) -> None:
        for name in ("epochs", "batches", "batch", "validation"):
            if getattr(self, name) < 1:
                raise ValueError(f"schedule.{name} is {getattr(self, name)}, expected 1 or more")
        if not self.rate > 0:
            raise ValueError(f"schedule.rate is {self.rate}, expected more than 0")


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """name of the model, method that it is for, settings of its network, data, simulation, losses, schedule, seed.

    held_out: the share of samples that the network does not get to see, for the loss of that name.
    licence: that of the weights, which follows from the data's.
    """

    name: str
    method: str
    data: Data
    licence: str
    network: Mapping[str, Any] = field(default_factory=dict)
    simulation: Simulation = field(default_factory=Simulation)
    losses: Mapping[str, float] = field(default_factory=lambda: {"l1": 1.0})
    schedule: Schedule = field(default_factory=Schedule)
    held_out: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        if bool(self.data.maps) != bool(self.simulation.measured):
            raise ValueError(
                f"data.maps is {self.data.maps} and simulation.measured {self.simulation.measured}: "
                "give both, or neither"
            )


def read(path: Path) -> Recipe:
    """The recipe at `path`. Raises ValueError for what is unknown, missing or not as expected, by its name."""
    values = yaml.safe_load(path.read_text())
    if not isinstance(values, dict):
        raise ValueError(f"{path} is not a recipe: expected a mapping")
    return from_values(values, str(path))


def from_values(values: Mapping[str, Any], source: str) -> Recipe:
    """The recipe of a mapping, as YAML gives it; `source` is named in errors, which are those of `read`."""
    try:
        parts = {"data": Data, "simulation": Simulation, "schedule": Schedule}
        made = {key: build(cls, values[key] or {}) for key, cls in parts.items() if key in values}
        recipe: Recipe = build(Recipe, {**values, **made})
    except (TypeError, ValueError) as error:
        raise ValueError(f"{source}: {error}") from None
    if not recipe.name.isidentifier():
        raise ValueError(f"{source}: name is {recipe.name!r}, expected letters, digits and underscores")
    return recipe
