"""Models whose weights were never trained."""

from dataclasses import replace

import torch
from safetensors.torch import load_file, save_file

from gadgets.mri.models.card import ModelCard, read, sha256
from gadgets.mri.models.trained import save


def untrained(method, network, folder, **card):
    """Write a model for `method`, `network` being the class of its network; the path of its card.

    What networks add to an image is zero, so that the method is the data consistency around them.
    """
    torch.manual_seed(0)
    made = network()
    with torch.no_grad():
        for name, parameter in made.named_parameters():
            if name.startswith(("functional", "psi.skips", "psi.weights")):
                parameter.mul_(0)
            if name == "weight":
                parameter.fill_(-30)
    settings = {
        "name": f"untrained_{method}",
        "method": method,
        "sha256": save(made, folder / f"untrained_{method}.safetensors"),
        "data": "none",
        "normalisation": "none",
        "licence": "CC0",
        "acceleration": (1.0, 8.0),
        "coils": (1, 32),
        "matrix": (16, 512),
    }
    path = folder / f"untrained_{method}.yaml"
    ModelCard(**settings | card).write(path)
    return path


def damaged(path, change):
    """The model at `path`, with weights by name changed by `change`; its card names what became of them."""
    weights = path.with_suffix(".safetensors")
    save_file({name: change(value) for name, value in load_file(weights).items()}, weights)
    replace(read(path), sha256=sha256(weights)).write(path)
    return path
