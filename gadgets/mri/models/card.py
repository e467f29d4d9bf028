"""Model cards: what a trained network is, and what it is good for."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import yaml

from gadgets.mri.kspace import KSpace

#: Where the models of this package lie.
SHIPPED = Path(__file__).parent


@dataclass(frozen=True, kw_only=True)
class ModelCard:
    """What there is to know of trained weights. Written as YAML beside them.

    name; method: the method that the weights are for; network: the settings of its network; sha256: of the file of
    weights. What it was trained on: data, and the whole recipe. The range that it is good for, both ends included:
    acceleration (grid points per sample), coils, matrix (points of y and of x), trajectory, field_tesla ((0, 0) for
    any). normalisation; validation: its figures; licence; made: software versions and seed.
    """

    name: str
    method: str
    sha256: str
    data: str
    normalisation: str
    licence: str
    acceleration: tuple[float, float]
    coils: tuple[int, int]
    matrix: tuple[int, int]
    trajectory: str = "cartesian"
    field_tesla: tuple[float, float] = (0.0, 0.0)
    network: Mapping[str, Any] = field(default_factory=dict)
    recipe: Mapping[str, Any] = field(default_factory=dict)
    validation: Mapping[str, Any] = field(default_factory=dict)
    made: Mapping[str, Any] = field(default_factory=dict)

    def write(self, path: Path) -> None:
        """Write the card."""
        plain = {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}
        path.write_text(yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, width=100))

    def require(self, kspace: KSpace, *, field_tesla: float | None = None) -> None:
        """Raise ValueError, with every reason, where a scan lies outside of what the model is good for."""
        wrong = []
        kind = "cartesian" if kspace.trajectory is None else "non-cartesian"
        if kind != self.trajectory:
            wrong.append(f"the trajectory is {kind}, the model is for {self.trajectory}")
        for name, value, (low, high) in (
            ("coils", kspace.n_coils, self.coils),
            ("points along y", kspace.image_matrix[1], self.matrix),
            ("points along x", kspace.image_matrix[2], self.matrix),
            ("acceleration", round(kspace.acceleration, 2), self.acceleration),
        ):
            if not low <= value <= high:
                wrong.append(f"{name}: {value}, the model is for {low} to {high}")
        low, high = self.field_tesla
        if field_tesla is not None and high > 0 and not low <= field_tesla <= high:
            wrong.append(f"the field is {field_tesla} T, the model is for {low} to {high} T")
        if wrong:
            raise ValueError(f"model {self.name} is not made for this scan: {'; '.join(wrong)}")


def names(folder: Path = SHIPPED) -> tuple[str, ...]:
    """Names of the models of a folder, sorted."""
    return tuple(sorted(path.stem for path in folder.glob("*.yaml")))


def find(name: str) -> Path:
    """The card of a model: a name of `names()`, or the path of a card elsewhere. ValueError where there is none."""
    path = Path(name) if name.endswith(".yaml") else SHIPPED / f"{name}.yaml"
    if not path.is_file():
        raise ValueError(
            f"there is no model {name!r}; there are: {', '.join(names()) or 'none'}, or the path of a card"
        )
    return path


def read(path: Path) -> ModelCard:
    """The card at `path`. Raises ValueError where it is not one, naming what is missing or unknown."""
    values: Any = yaml.safe_load(path.read_text())
    if not isinstance(values, dict):
        raise ValueError(f"{path} is not a model card")
    known = {one.name for one in fields(ModelCard)}
    needed = {"name", "method", "sha256", "data", "normalisation", "licence", "acceleration", "coils", "matrix"}
    if set(values) - known or needed - set(values):
        raise ValueError(
            f"{path} is not a model card: missing are {sorted(needed - set(values))}, "
            f"unknown are {sorted(set(values) - known)}"
        )
    pairs = ("acceleration", "coils", "matrix", "field_tesla")
    given: dict[str, Any] = {key: tuple(value) if key in pairs else value for key, value in values.items()}
    return ModelCard(**given)


def weights_of(card_path: Path) -> Path:
    """The file of weights that lies beside a card."""
    return card_path.with_suffix(".safetensors")


def sha256(path: Path) -> str:
    """The hash of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def verify(path: Path) -> ModelCard:
    """The card at `path`, after its weights were found to be those that it names.

    Raises ValueError where the weights are missing or not the same.
    """
    card, weights = read(path), weights_of(path)
    if not weights.is_file():
        raise ValueError(f"model {card.name} has no weights: there is no file {weights}")
    found = sha256(weights)
    if found != card.sha256:
        raise ValueError(f"the weights of model {card.name} are not those of its card: {found}, expected {card.sha256}")
    return card
