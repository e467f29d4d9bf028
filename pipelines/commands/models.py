"""List models, or verify them: their hashes, and their figures of validation."""

from __future__ import annotations

import argparse
import importlib
from pathlib import Path


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", nargs="?", choices=("list", "verify"), default="list")
    parser.add_argument("model", nargs="*", help="names, or paths of cards (default: all that are installed)")
    parser.add_argument("--data", type=Path, help="folder of the data that a model was validated on")


def main(arguments: argparse.Namespace) -> int:
    cards = importlib.import_module("gadgets.mri.models.card")
    for name in arguments.model or cards.names():
        if arguments.action == "verify":
            for line in importlib.import_module("gadgets.training").verify(name, arguments.data):
                print(line)
            continue
        card = cards.read(cards.find(name))
        size = cards.weights_of(cards.find(name)).stat().st_size / 1e6
        print(
            f"{card.name}  {card.method}, {size:.1f} MB; {card.coils[0]} to {card.coils[1]} coils, "
            f"matrix {card.matrix[0]} to {card.matrix[1]}, acceleration up to {card.acceleration[1]}; {card.data}; "
            f"{card.licence}"
        )
    return 0
