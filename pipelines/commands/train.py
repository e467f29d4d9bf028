"""Train a network as a recipe says."""

from __future__ import annotations

import argparse
import importlib
from pathlib import Path


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("recipe", type=Path, help="the recipe, a YAML file")
    parser.add_argument(
        "--output", "-o", type=Path, help="folder of the model and its log (default: the recipe's name)"
    )
    parser.add_argument("--data", type=Path, help="folder that paths in the recipe are relative to (default: its own)")
    parser.add_argument("--resume", action="store_true", help="go on from the last epoch that was finished there")


def main(arguments: argparse.Namespace) -> int:
    folder = arguments.output or Path(arguments.recipe.stem)
    train = importlib.import_module("gadgets.training").train
    card = train(arguments.recipe, folder, data=arguments.data, resume=arguments.resume)
    for kind, figures in card.validation.items():
        if isinstance(figures, dict):
            print(f"{kind}: {figures['psnr']} dB, zero-filled {figures['zero_filled']} dB")
    print(folder / f"{card.name}.yaml")
    return 0
