"""Trained networks in memory."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from gadgets.mri.models import card as cards
from gadgets.mri.models.card import ModelCard

_lock = threading.Lock()
_loaded: dict[tuple[Path, str, str], tuple[nn.Module, ModelCard]] = {}
_reads = 0


def reads() -> int:
    """How often this process has read weights: as often afterwards as before where they were in memory."""
    return _reads


def trained(
    name: str, method: str, build: Callable[..., nn.Module], device: torch.device
) -> tuple[nn.Module, ModelCard]:
    """The network of a model, on `device`, without gradients, and its card; read once in a process for each device.

    build: makes the untrained network from the settings of the card.

    Raises ValueError where there is no such model, where it is for another method, where its weights are missing or
    not those of the card, and where they do not fit the network.
    """
    global _reads
    path = cards.find(name).resolve()
    with _lock:
        key = (path, method, str(device))
        if key not in _loaded:
            card = cards.verify(path)
            if card.method != method:
                raise ValueError(f"model {card.name} is for the method {card.method}, not for {method}")
            network = build(**card.network)
            try:
                network.load_state_dict(load_file(cards.weights_of(path)))
            except RuntimeError as error:
                raise ValueError(f"the weights of model {card.name} do not fit its network: {error}") from None
            _reads += 1
            _loaded[key] = network.to(device).eval().requires_grad_(False), card
        return _loaded[key]


def save(network: nn.Module, path: Path) -> str:
    """Write the weights of a network as safetensors; their SHA-256."""
    tensors = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
    save_file(tensors, path)
    return cards.sha256(path)
